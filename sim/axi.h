// The rules of AXI that a master can break, and what a request is. Used by the DRAM model and by the register master.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

struct Failure {
    std::string text;
};

inline std::string hex(uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

struct Request {
    uint64_t id, address, length, size, burst, lock, cache, prot, qos;

    bool operator==(const Request& other) const {
        return id == other.id && address == other.address && length == other.length && size == other.size &&
               burst == other.burst && lock == other.lock && cache == other.cache && prot == other.prot &&
               qos == other.qos;
    }
    unsigned beats() const { return static_cast<unsigned>(length) + 1; }
    uint64_t step() const { return uint64_t(1) << size; }
    // Beats after the first are aligned to their size.
    uint64_t at(unsigned beat) const { return beat ? (address & ~(step() - 1)) + beat * step() : address; }
    uint64_t end() const { return at(beats()); }
};

// Holds one channel to its handshake: valid stays, and the payload with it, until ready.
template <class Payload>
class Handshake {
public:
    explicit Handshake(const char* name) : name_(name) {}
    // Once a cycle; true when the payload was transferred.
    bool see(bool valid, bool ready, const Payload& payload) {
        if (held_ && !valid) throw Failure{std::string(name_) + "VALID dropped before the transfer"};
        if (held_ && !(payload == before_)) throw Failure{std::string(name_) + " payload changed before the transfer"};
        held_ = valid && !ready;
        if (held_) before_ = payload;
        return valid && ready;
    }
    bool held() const { return held_; }
    void reset() { held_ = false; }

private:
    const char* name_;
    bool held_ = false;
    Payload before_{};
};

// What a slave of `bytes` a beat may be asked; `most` is the longest burst that the master was built for.
inline void check_request(const char* name, const Request& request, unsigned bytes, unsigned most) {
    const std::string where = std::string(name) + " at " + hex(request.address) + ": ";
    if (request.burst != 1) throw Failure{where + "burst type " + std::to_string(request.burst) + " is not INCR"};
    if (request.lock) throw Failure{where + "exclusive access"};
    if (request.step() > bytes) throw Failure{where + "beats are wider than the bus"};
    if (request.beats() > most)
        throw Failure{where + std::to_string(request.beats()) + " beats, more than " + std::to_string(most)};
    if ((request.address >> 12) != ((request.end() - 1) >> 12)) throw Failure{where + "burst crosses a 4 KiB boundary"};
}
