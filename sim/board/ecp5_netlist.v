// Cells of an ECP5 netlist of which Yosys brings no model: block RAM and multiplier, as far as `synth_ecp5` uses them:
// clocks not inverted, no output registers, resets synchronous. Behaviour: Lattice FPGA-TN-02204 (memory) and
// FPGA-TN-02205 (sysDSP). A word that a port reads where the other writes with the same edge is all ones: nothing may
// rely on it (`synth_ecp5 -no-rw-check`).

module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
  parameter [319:0] INITVAL_00 = 320'd0;
  parameter [319:0] INITVAL_01 = 320'd0;
  parameter [319:0] INITVAL_02 = 320'd0;
  parameter [319:0] INITVAL_03 = 320'd0;
  parameter [319:0] INITVAL_04 = 320'd0;
  parameter [319:0] INITVAL_05 = 320'd0;
  parameter [319:0] INITVAL_06 = 320'd0;
  parameter [319:0] INITVAL_07 = 320'd0;
  parameter [319:0] INITVAL_08 = 320'd0;
  parameter [319:0] INITVAL_09 = 320'd0;
  parameter [319:0] INITVAL_0A = 320'd0;
  parameter [319:0] INITVAL_0B = 320'd0;
  parameter [319:0] INITVAL_0C = 320'd0;
  parameter [319:0] INITVAL_0D = 320'd0;
  parameter [319:0] INITVAL_0E = 320'd0;
  parameter [319:0] INITVAL_0F = 320'd0;
  parameter [319:0] INITVAL_10 = 320'd0;
  parameter [319:0] INITVAL_11 = 320'd0;
  parameter [319:0] INITVAL_12 = 320'd0;
  parameter [319:0] INITVAL_13 = 320'd0;
  parameter [319:0] INITVAL_14 = 320'd0;
  parameter [319:0] INITVAL_15 = 320'd0;
  parameter [319:0] INITVAL_16 = 320'd0;
  parameter [319:0] INITVAL_17 = 320'd0;
  parameter [319:0] INITVAL_18 = 320'd0;
  parameter [319:0] INITVAL_19 = 320'd0;
  parameter [319:0] INITVAL_1A = 320'd0;
  parameter [319:0] INITVAL_1B = 320'd0;
  parameter [319:0] INITVAL_1C = 320'd0;
  parameter [319:0] INITVAL_1D = 320'd0;
  parameter [319:0] INITVAL_1E = 320'd0;
  parameter [319:0] INITVAL_1F = 320'd0;
  parameter [319:0] INITVAL_20 = 320'd0;
  parameter [319:0] INITVAL_21 = 320'd0;
  parameter [319:0] INITVAL_22 = 320'd0;
  parameter [319:0] INITVAL_23 = 320'd0;
  parameter [319:0] INITVAL_24 = 320'd0;
  parameter [319:0] INITVAL_25 = 320'd0;
  parameter [319:0] INITVAL_26 = 320'd0;
  parameter [319:0] INITVAL_27 = 320'd0;
  parameter [319:0] INITVAL_28 = 320'd0;
  parameter [319:0] INITVAL_29 = 320'd0;
  parameter [319:0] INITVAL_2A = 320'd0;
  parameter [319:0] INITVAL_2B = 320'd0;
  parameter [319:0] INITVAL_2C = 320'd0;
  parameter [319:0] INITVAL_2D = 320'd0;
  parameter [319:0] INITVAL_2E = 320'd0;
  parameter [319:0] INITVAL_2F = 320'd0;
  parameter [319:0] INITVAL_30 = 320'd0;
  parameter [319:0] INITVAL_31 = 320'd0;
  parameter [319:0] INITVAL_32 = 320'd0;
  parameter [319:0] INITVAL_33 = 320'd0;
  parameter [319:0] INITVAL_34 = 320'd0;
  parameter [319:0] INITVAL_35 = 320'd0;
  parameter [319:0] INITVAL_36 = 320'd0;
  parameter [319:0] INITVAL_37 = 320'd0;
  parameter [319:0] INITVAL_38 = 320'd0;
  parameter [319:0] INITVAL_39 = 320'd0;
  parameter [319:0] INITVAL_3A = 320'd0;
  parameter [319:0] INITVAL_3B = 320'd0;
  parameter [319:0] INITVAL_3C = 320'd0;
  parameter [319:0] INITVAL_3D = 320'd0;
  parameter [319:0] INITVAL_3E = 320'd0;
  parameter [319:0] INITVAL_3F = 320'd0;

  wire [35:0] di = {
    DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};

  // Four lanes of nine bits, so that every width is a part of a row.
  reg [8:0] lanes [0:2047];
  reg [35:0] outa = 36'd0;
  reg [35:0] outb = 36'd0;

  integer at;
  reg [20479:0] initial_bits;
  initial begin
    initial_bits = {
      INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
      INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
      INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
      INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
      INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
      INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
      INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
      INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
    for (at = 0; at < 1024; at = at + 1) begin
      lanes[2 * at] = initial_bits[20 * at +: 9];
      lanes[2 * at + 1] = initial_bits[20 * at + 9 +: 9];
    end
  end

  // What a port of `width` bits sees of a lane of nine bits, and what it makes of one.
  function [8:0] part(input integer width, input [8:0] lane, input [2:0] place);
    case (width)
      1: part = {8'd0, lane[place]};
      2: part = {7'd0, lane[{place[2:1], 1'b0} +: 2]};
      4: part = {5'd0, lane[{place[2], 2'b00} +: 4]};
      default: part = lane;
    endcase
  endfunction

  function [8:0] merged(input integer width, input [8:0] lane, input [2:0] place, input [8:0] value);
    begin
      merged = lane;
      case (width)
        1: merged[place] = value[0];
        2: merged[{place[2:1], 1'b0} +: 2] = value[1:0];
        4: merged[{place[2], 2'b00} +: 4] = value[3:0];
        default: merged = value;
      endcase
    end
  endfunction

  function [35:0] word(input integer width, input [13:0] address);
    case (width)
      36: word = {lanes[{address[13:5], 2'd3}], lanes[{address[13:5], 2'd2}],
                  lanes[{address[13:5], 2'd1}], lanes[{address[13:5], 2'd0}]};
      18: word = {18'd0, lanes[{address[13:4], 1'b1}], lanes[{address[13:4], 1'b0}]};
      default: word = {27'd0, part(width, lanes[address[13:3]], address[2:0])};
    endcase
  endfunction

  // Where two ports meet: at the same word of the wider one.
  localparam WIDER = DATA_WIDTH_A > DATA_WIDTH_B ? DATA_WIDTH_A : DATA_WIDTH_B;
  localparam LOW = WIDER > 18 ? 5 : WIDER > 9 ? 4 : WIDER > 4 ? 3 : WIDER > 2 ? 2 : WIDER - 1;
  wire meet = CEA & CEB & ((ada >> LOW) == (adb >> LOW));

  generate
    if (DATA_WIDTH_A == 36) begin : wide
      // Port A writes 36 bits, port B reads.
      always @(posedge CLKA) if (CEA & WEA) begin
        if (ada[0]) lanes[{ada[13:5], 2'd0}] <= di[8:0];
        if (ada[1]) lanes[{ada[13:5], 2'd1}] <= di[17:9];
        if (ada[2]) lanes[{ada[13:5], 2'd2}] <= di[26:18];
        if (ada[3]) lanes[{ada[13:5], 2'd3}] <= di[35:27];
      end
    end else if (DATA_WIDTH_A == 18) begin : middle
      always @(posedge CLKA) if (CEA & WEA) begin
        if (ada[0]) lanes[{ada[13:4], 1'b0}] <= di[8:0];
        if (ada[1]) lanes[{ada[13:4], 1'b1}] <= di[17:9];
      end
    end else begin : narrow
      always @(posedge CLKA) if (CEA & WEA)
        lanes[ada[13:3]] <= merged(DATA_WIDTH_A, lanes[ada[13:3]], ada[2:0], di[8:0]);
    end
  endgenerate
  generate
    if (DATA_WIDTH_B == 18) begin : middle_b
      always @(posedge CLKB) if (CEB & WEB) begin
        if (adb[0]) lanes[{adb[13:4], 1'b0}] <= di[26:18];
        if (adb[1]) lanes[{adb[13:4], 1'b1}] <= di[35:27];
      end
    end else if (DATA_WIDTH_B < 18) begin : narrow_b
      always @(posedge CLKB) if (CEB & WEB)
        lanes[adb[13:3]] <= merged(DATA_WIDTH_B, lanes[adb[13:3]], adb[2:0], di[26:18]);
    end
  endgenerate

  // A port that writes keeps its output (NORMAL), or shows what it writes or what was there.
  always @(posedge CLKA) begin
    if (RSTA) outa <= 36'd0;
    else if (CEA & (~WEA | (WRITEMODE_A == "READBEFOREWRITE")))
      outa <= meet & WEB ? ~36'd0 : word(DATA_WIDTH_A, ada);
    else if (CEA & (WRITEMODE_A == "WRITETHROUGH")) outa <= {18'd0, di[17:0]};
  end
  always @(posedge CLKB) begin
    if (RSTB) outb <= 36'd0;
    else if (CEB & (~WEB | (WRITEMODE_B == "READBEFOREWRITE")))
      outb <= meet & WEA & (DATA_WIDTH_A < 36 | (|ada[3:0])) ? ~36'd0 : word(DATA_WIDTH_B, adb);
    else if (CEB & (WRITEMODE_B == "WRITETHROUGH")) outb <= {18'd0, di[35:18]};
  end

  // In the mode of 36 bits the lower half of what port B reads is at port A's outputs.
  wire [17:0] doa = DATA_WIDTH_B == 36 ? outb[17:0] : outa[17:0];
  wire [17:0] dob = DATA_WIDTH_B == 36 ? outb[35:18] : outb[17:0];
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = doa;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = dob;
endmodule

module MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
  output P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  wire signed [35:0] wide_a = {{18{SIGNEDA & a[17]}}, a};
  wire signed [35:0] wide_b = {{18{SIGNEDB & b[17]}}, b};
  wire signed [35:0] product = wide_a * wide_b;
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
          P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = product;
endmodule

// A TRELLIS_IO that is an input.
module TRELLIS_INPUT (
  input  wire B,
  output wire O
);
  parameter DIR = "INPUT";
  assign O = B;
endmodule

// Yosys' own model drives `z`, which Verilator makes a design of tristates of; no pin of a board needs it.
module TRELLIS_IO (
  inout  wire B,
  input  wire I,
  input  wire T,
  output wire O
);
  parameter DIR = "INPUT";
  generate
    if (DIR == "INPUT") begin : in
      assign O = B;
    end else begin : out
      assign B = I;
      assign O = 1'b0;
    end
  endgenerate
endmodule
