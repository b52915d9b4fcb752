// What the player and the glue of one design share. The glue is generated (sevedo.sim.glue); the player is not.
#pragma once
#include <cstdint>

#include "ports.h"

struct InputStream {
    const char* name;
    unsigned words;  // of a beat
    void (*payload)(const uint32_t* beat);
    void (*valid)(bool level);
    bool (*ready)();
};

struct OutputStream {
    const char* name;
    unsigned words;
    void (*payload)(uint32_t* beat);
    bool (*valid)();
    void (*ready)(bool level);
};

// A port that belongs to no stream: an input is held at one value for a whole run, an output is read at its end.
struct PinPort {
    const char* name;
    unsigned words;
    void (*write)(const uint32_t* value);  // null for an output
    void (*read)(uint32_t* value);         // null for an input
};

struct Dut {
    const InputStream* inputs;
    unsigned input_count;
    const OutputStream* outputs;
    unsigned output_count;
    const PinPort* pins;
    unsigned pin_count;
    void (*open)(const char* waves);  // null: no waveform
    void (*clock)(bool level);
    void (*reset)(bool level);
    void (*eval)();
    void (*close)();
};

extern const Dut dut;
