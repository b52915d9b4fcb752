// A DRAM behind an AXI4 slave port: latency, bandwidth, stalls, errors, and the ranges that the host granted.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "axi.h"
#include "random.h"

class Memory {
public:
    void read(uint64_t address, uint8_t* to, uint64_t size) {
        each(address, size, [&](uint8_t* at, uint64_t done, uint64_t part) { std::memcpy(to + done, at, part); });
    }
    void write(uint64_t address, const uint8_t* from, uint64_t size) {
        each(address, size, [&](uint8_t* at, uint64_t done, uint64_t part) { std::memcpy(at, from + done, part); });
    }

private:
    static constexpr unsigned PAGE = 16;
    template <class Function>
    void each(uint64_t address, uint64_t size, Function function) {
        for (uint64_t done = 0; done < size;) {
            const uint64_t at = address + done, inside = at & ((1u << PAGE) - 1);
            const uint64_t part = std::min(size - done, (uint64_t(1) << PAGE) - inside);
            function(page(at >> PAGE) + inside, done, part);
            done += part;
        }
    }
    uint8_t* page(uint64_t number) {
        auto& found = pages_[number];
        if (!found) found.reset(new uint8_t[1u << PAGE]());
        return found.get();
    }
    std::unordered_map<uint64_t, std::unique_ptr<uint8_t[]>> pages_;
};

struct DramSettings {
    uint64_t latency = 100;            // cycles from a request to its first beat, from the last beat to the response
    uint64_t bandwidth = 16 * 256;     // 1/256 bytes per cycle, reads and writes together
    uint64_t outstanding = 32;         // requests of a direction that are taken ahead
    uint64_t burst = 256;              // beats of a burst, at most
    uint64_t reorder = 0;              // bursts of different IDs overtake each other, and read beats interleave
    uint64_t patient = 0;              // ready only after valid was seen
    uint64_t seed = 0;
    std::array<uint64_t, 5> stall{};   // chance per cycle, out of 2^32, to hold AR, R, AW, W, B back
};

struct Range {
    uint64_t base, size;
    bool overlaps(uint64_t first, uint64_t end) const { return first < base + size && end > base; }
    bool contains(uint64_t first, uint64_t end) const { return first >= base && end <= base + size; }
};

// An error response: to what touches a range, or to one access (counted from when the fault was ordered).
struct Fault {
    bool write, by_access;
    uint64_t access;
    Range range;
    unsigned response;
};

struct Traffic {
    uint64_t read_bytes = 0, written_bytes = 0, reads = 0, writes = 0;  // bytes of whole beats; bursts
};

// BYTES a beat. The ports are in `Port`, a struct of static functions (sevedo.sim.dram_glue).
template <unsigned BYTES, class Port>
class Dram {
public:
    Memory memory;
    DramSettings settings;
    std::vector<Range> readable, writable;
    Traffic traffic;

    void restart() {
        for (unsigned i = 0; i < 5; ++i) random_[i] = Random(settings.seed * 1000 + 700 + i);
        choice_ = Random(settings.seed * 1000 + 800);
        reads_.clear(), writes_.clear(), responses_.clear(), data_.clear();
        reading_ = NONE, responding_ = NONE;
        ar_.reset(), aw_.reset(), w_.reset();
        credit_ = 0, turn_write_ = false, noisy_ = false;
        ar_ready_ = aw_ready_ = w_ready_ = false;
    }
    void order(Fault fault) {
        fault.access += fault.write ? traffic.writes : traffic.reads;
        faults_.push_back(fault);
    }
    void mend() { faults_.clear(); }

    // Inputs of the master for this cycle.
    void drive(uint64_t cycle) {
        const uint64_t share = std::gcd(settings.bandwidth, COST);
        credit_ = std::min(credit_ + settings.bandwidth, settings.bandwidth + COST - share);
        const bool room = data_.size() < ROOM;
        drive_read(cycle, w_.held() && room);
        ar_ready_ = reads_.size() < settings.outstanding && goes(0, ar_.held());
        aw_ready_ = writes_.size() < settings.outstanding && goes(2, aw_.held());
        w_ready_ = room && credit_ >= COST && goes(3, w_.held());
        drive_response(cycle);
        Port::m_axi_arready(ar_ready_);
        Port::m_axi_awready(aw_ready_);
        Port::m_axi_wready(w_ready_);
    }

    // What the master answered, settled.
    void sample(uint64_t cycle) {
        if (reading_ != NONE && Port::m_axi_rready()) {
            traffic.read_bytes += BYTES;
            auto& burst = reads_[reading_];
            if (++burst.beat == burst.request.beats()) reads_.erase(reads_.begin() + static_cast<long>(reading_));
            reading_ = NONE;
        }
        if (responding_ != NONE && Port::m_axi_bready()) {
            responses_.erase(responses_.begin() + static_cast<long>(responding_));
            responding_ = NONE;
        }
        const bool ar_valid = Port::m_axi_arvalid(), aw_valid = Port::m_axi_awvalid(), w_valid = Port::m_axi_wvalid();
        if (ar_valid || ar_.held()) {
            const Request request = Port::read_request();
            if (ar_.see(ar_valid, ar_ready_, request)) accept(request, cycle, false);
        }
        if (aw_valid || aw_.held()) {
            const Request request = Port::write_request();
            if (aw_.see(aw_valid, aw_ready_, request)) accept(request, cycle, true);
        }
        if (w_valid || w_.held()) {
            Beat beat;
            Port::write_beat(beat.data.data(), beat.strobe.data(), beat.last);
            if (w_.see(w_valid, w_ready_, beat)) {
                credit_ -= COST, turn_write_ = false;
                traffic.written_bytes += BYTES;
                data_.push_back(beat);
            }
        }
        store(cycle);
    }
    bool idle() const { return reads_.empty() && writes_.empty() && responses_.empty() && data_.empty(); }

private:
    static constexpr uint64_t COST = BYTES * 256;
    static constexpr size_t NONE = ~size_t(0), ROOM = 16;
    struct Burst {
        Request request;
        uint64_t due;
        unsigned beat;
        unsigned response;
    };
    struct Response {
        uint64_t id, due;
        unsigned response;
    };
    struct Beat {
        std::array<uint32_t, BYTES / 4 + 1> data{};
        std::array<uint32_t, (BYTES + 31) / 32 + 1> strobe{};
        bool last = false;
        bool operator==(const Beat& o) const { return data == o.data && strobe == o.strobe && last == o.last; }
    };

    bool goes(unsigned channel, bool seen) {
        return !(settings.stall[channel] && random_[channel].chance(settings.stall[channel])) &&
               (!settings.patient || seen);
    }

    void accept(const Request& request, uint64_t cycle, bool write) {
        const char* name = write ? "AW" : "AR";
        check_request(name, request, BYTES, static_cast<unsigned>(settings.burst));
        bool granted = false;
        for (const auto& range : write ? writable : readable)
            granted |= range.contains(request.address, request.end());
        if (!granted)
            throw Failure{std::string(name) + " of " + std::to_string(request.end() - request.address) + " bytes at " +
                          hex(request.address) + " is outside what the host granted"};
        const uint64_t number = write ? traffic.writes++ : traffic.reads++;
        unsigned response = 0;
        for (const auto& fault : faults_)
            if (fault.write == write && (fault.by_access ? fault.access == number
                                                         : fault.range.overlaps(request.address, request.end())))
                response = fault.response;
        (write ? writes_ : reads_).push_back({request, cycle + settings.latency, 0, response});
    }

    // The first of each ID that is due, one of them by chance when they may overtake each other.
    template <class List, class Id>
    size_t pick(const List& list, uint64_t cycle, Id id) {
        if (list.empty()) return NONE;
        if (!settings.reorder) return list.front().due <= cycle ? 0 : NONE;
        size_t found = NONE, count = 0;
        for (size_t i = 0; i < list.size(); ++i) {
            bool first = list[i].due <= cycle;
            for (size_t j = 0; first && j < i; ++j) first = id(list[j]) != id(list[i]);
            if (first && choice_.next() % ++count == 0) found = i;
        }
        return found;
    }

    void drive_read(uint64_t cycle, bool write_waits) {
        if (reading_ != NONE) return;
        size_t next = pick(reads_, cycle, [](const Burst& b) { return b.request.id; });
        if (next != NONE && settings.stall[1] && random_[1].chance(settings.stall[1])) next = NONE;
        // Reads and writes share the bandwidth in turn when both want it.
        const uint64_t needed = write_waits && turn_write_ ? 2 * COST : COST;
        if (next == NONE || credit_ < needed) {
            if (noisy_) return;
            // While no beat is offered the payload is noise: a master that looks at it without valid shows itself.
            std::array<uint32_t, BYTES / 4 + 1> noise;
            for (auto& word : noise) word = choice_.next();
            Port::read_beat(noise.data(), choice_.next(), choice_.next() & 3, choice_.next() & 1);
            Port::m_axi_rvalid(0);
            noisy_ = true;
            return;
        }
        turn_write_ = write_waits;
        credit_ -= COST;
        reading_ = next, noisy_ = false;
        const auto& burst = reads_[next];
        std::array<uint32_t, BYTES / 4 + 1> data{};
        memory.read(burst.request.at(burst.beat) & ~uint64_t(BYTES - 1), reinterpret_cast<uint8_t*>(data.data()), BYTES);
        if (burst.response)
            for (auto& word : data) word = choice_.next();
        Port::read_beat(data.data(), burst.request.id, burst.response, burst.beat + 1 == burst.request.beats());
        Port::m_axi_rvalid(1);
    }

    void drive_response(uint64_t cycle) {
        if (responding_ != NONE) return;
        const size_t next = pick(responses_, cycle, [](const Response& r) { return r.id; });
        const bool go = next != NONE && !(settings.stall[4] && random_[4].chance(settings.stall[4]));
        if (go) Port::response(responses_[next].id, responses_[next].response);
        Port::m_axi_bvalid(go);
        if (go) responding_ = next;
    }

    // Beats may come before their request: they wait for it.
    void store(uint64_t cycle) {
        while (!data_.empty() && !writes_.empty()) {
            auto& burst = writes_.front();
            const Beat& beat = data_.front();
            const uint64_t address = burst.request.at(burst.beat), lane = address & (BYTES - 1);
            const uint64_t end = (address & ~(burst.request.step() - 1) & (BYTES - 1)) + burst.request.step();
            const uint64_t base = address & ~uint64_t(BYTES - 1);
            const auto* bytes = reinterpret_cast<const uint8_t*>(beat.data.data());
            bool whole = true;
            for (unsigned i = 0; i < BYTES; ++i) {
                const bool set = beat.strobe[i / 32] >> (i % 32) & 1;
                whole &= set;
                if (set && (i < lane || i >= end)) throw Failure{"W strobe outside the beat at " + hex(address)};
            }
            for (unsigned i = 0; i < BYTES && !whole && !burst.response; ++i)
                if (beat.strobe[i / 32] >> (i % 32) & 1) memory.write(base + i, bytes + i, 1);
            if (whole && !burst.response) memory.write(base, bytes, BYTES);
            const bool last = ++burst.beat == burst.request.beats();
            if (last != beat.last)
                throw Failure{std::string(last ? "WLAST is missing" : "WLAST is early") + " at " + hex(address)};
            data_.pop_front();
            if (last) {
                responses_.push_back({burst.request.id, cycle + settings.latency, burst.response});
                writes_.pop_front();
            }
        }
    }

    std::vector<Fault> faults_;
    std::deque<Burst> reads_, writes_;
    std::deque<Response> responses_;
    std::deque<Beat> data_;
    Handshake<Request> ar_{"AR"}, aw_{"AW"};
    Handshake<Beat> w_{"W"};
    std::array<Random, 5> random_{Random(0), Random(0), Random(0), Random(0), Random(0)};
    Random choice_{0};
    uint64_t credit_ = 0;
    size_t reading_ = NONE, responding_ = NONE;
    bool turn_write_ = false, noisy_ = false, ar_ready_ = false, aw_ready_ = false, w_ready_ = false;
};
