// Seeded random numbers of the simulations.
#pragma once
#include <cstdint>

// xorshift64*: one for each stream or channel, so that the stalls of one do not depend on the others.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x1234567890ABCDEFu) { next(); next(); }
    uint32_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return static_cast<uint32_t>((state_ * 0x2545F4914F6CDD1Du) >> 32);
    }
    bool chance(uint64_t threshold) { return next() < threshold; }

private:
    uint64_t state_;
};
