// What the RTL of an iCE40 board has that is not RTL: the cells at its pins.
// Behaviour: Lattice FPGA-TN-02026 (iCE40 Technology Library), as far as the generated top uses them: unregistered
// inputs, and outputs that are always on.

module SB_GB_IO (
  inout  wire PACKAGE_PIN,
  output wire GLOBAL_BUFFER_OUTPUT
);
  parameter [5:0] PIN_TYPE = 6'b000001;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
endmodule

module SB_IO (
  inout  wire PACKAGE_PIN,
  input  wire OUTPUT_ENABLE,
  input  wire D_OUT_0,
  output wire D_IN_0
);
  parameter [5:0] PIN_TYPE = 6'b000000;
  parameter [0:0] PULLUP = 1'b0;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign D_IN_0 = PACKAGE_PIN;
  generate
    if (PIN_TYPE[5:2] != 4'b0000)
      assign PACKAGE_PIN = OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
  endgenerate
endmodule
