// What the RTL of an ECP5 board has that is not RTL: input and output buffers, and the PLL.
// Behaviour: Lattice FPGA-TN-02200 (sysCLOCK) and FPGA-TN-02032 (sysI/O), as far as the generated top uses them.

module IB (
  input  wire I,
  output wire O
);
  assign O = I;
endmodule

module OBZ (
  input  wire I,
  input  wire T,
  output wire O
);
  // A pin that is not driven reads as pulled up; the generated top drives its outputs always.
  assign O = T | I;
endmodule

// The oscillator inside cannot be written without delays: the bench drives `oscillator` with the frequency that the
// dividers make of CLKI's (sevedo.sim.board.bench). LOCK comes after some cycles of CLKI, and CLKOP stands before.
module EHXPLLL (
  input  wire CLKI,
  input  wire CLKFB,
  input  wire RST,
  input  wire STDBY,
  input  wire PHASESEL0,
  input  wire PHASESEL1,
  input  wire PHASEDIR,
  input  wire PHASESTEP,
  input  wire PHASELOADREG,
  input  wire PLLWAKESYNC,
  input  wire ENCLKOP,
  output wire CLKOP,
  output wire LOCK
);
  parameter CLKI_DIV = 1;
  parameter CLKFB_DIV = 1;
  parameter CLKOP_DIV = 8;
  parameter CLKOP_CPHASE = 0;
  parameter CLKOP_FPHASE = 0;
  parameter CLKOP_ENABLE = "ENABLED";
  parameter DPHASE_SOURCE = "DISABLED";
  parameter FEEDBK_PATH = "CLKOP";
  parameter INTFB_WAKE = "DISABLED";
  parameter OUTDIVIDER_MUXA = "DIVA";
  parameter PLLRST_ENA = "DISABLED";
  parameter STDBY_ENABLE = "DISABLED";

  reg oscillator /*verilator public_flat_rw*/ = 1'b0;
  reg [4:0] settled = 5'd0;
  assign LOCK = settled[4];
  assign CLKOP = oscillator;
  always @(posedge CLKI) if (!settled[4]) settled <= settled + 5'd1;
endmodule
