// Between words in memory and the ports of a Verilated model, whatever their width.
#pragma once
#include <cstdint>
#include <type_traits>

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
