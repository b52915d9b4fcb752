// What the player and the glue of one design share. The glue is generated (sevedo.sim.glue); the player is not.
#pragma once
#include <cstdint>
#include <type_traits>

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

// Move WIDTH bits at OFFSET of a beat to a port of the model, and back. WORDS and more of the beat are readable.
template <unsigned OFFSET, unsigned WIDTH>
inline uint32_t take(const uint32_t* beat, unsigned word) {
    constexpr unsigned shift = OFFSET % 32;
    const unsigned at = OFFSET / 32 + word;
    uint32_t value = beat[at] >> shift;
    if (shift && word * 32 + 32 - shift < WIDTH) value |= beat[at + 1] << ((32 - shift) % 32);
    const unsigned left = WIDTH - word * 32;
    return left >= 32 ? value : value & ((uint32_t(1) << left) - 1);
}

template <unsigned OFFSET, unsigned WIDTH>
inline void give(uint32_t* beat, unsigned word, uint32_t value) {
    constexpr unsigned shift = OFFSET % 32;
    const unsigned at = OFFSET / 32 + word;
    beat[at] |= value << shift;
    if (shift && word * 32 + 32 - shift < WIDTH) beat[at + 1] |= value >> ((32 - shift) % 32);
}

template <unsigned OFFSET, unsigned WIDTH, class P>
inline void put(P& port, const uint32_t* beat) {
    if constexpr (std::is_integral_v<P>) {
        uint64_t value = take<OFFSET, WIDTH>(beat, 0);
        if constexpr (WIDTH > 32) value |= uint64_t(take<OFFSET, WIDTH>(beat, 1)) << 32;
        port = static_cast<P>(value);
    } else {
        for (unsigned word = 0; word < (WIDTH + 31) / 32; ++word) port[word] = take<OFFSET, WIDTH>(beat, word);
    }
}

template <unsigned OFFSET, unsigned WIDTH, class P>
inline void get(const P& port, uint32_t* beat) {
    if constexpr (std::is_integral_v<P>) {
        give<OFFSET, WIDTH>(beat, 0, static_cast<uint32_t>(port));
        if constexpr (WIDTH > 32) give<OFFSET, WIDTH>(beat, 1, static_cast<uint32_t>(uint64_t(port) >> 32));
    } else {
        for (unsigned word = 0; word < (WIDTH + 31) / 32; ++word) give<OFFSET, WIDTH>(beat, word, port[word]);
    }
}
