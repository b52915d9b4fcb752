// An AXI4-Lite master for registers, one access at a time, with the rules that a slave can break.
#pragma once
#include <cstdint>
#include <string>

#include "axi.h"
#include "random.h"

template <class Port>
class RegisterMaster {
public:
    uint64_t stall = 0;  // chance per cycle, out of 2^32, to hold a request or a ready back

    void restart(uint64_t seed) {
        random_ = Random(seed * 1000 + 900);
        read_.reset(), write_.reset();
        address_ = data_ = answer_ = 0;
        address_shown_ = data_shown_ = ready_ = false;
    }
    void start(bool write, uint64_t address, uint32_t value) {
        writes_ = write, where_ = address, value_ = value;
        address_ = 1, data_ = write, answer_ = 1;
    }
    bool busy() const { return address_ || data_ || answer_; }
    uint32_t value() const { return value_; }
    unsigned response() const { return response_; }

    void drive() {
        // What is shown stays shown; ready may come and go.
        address_shown_ |= address_ && goes();
        data_shown_ |= data_ && goes();
        ready_ = answer_ && goes();
        Port::s_axi_araddr(where_), Port::s_axi_awaddr(where_);
        Port::s_axi_arvalid(address_shown_ && !writes_);
        Port::s_axi_awvalid(address_shown_ && writes_);
        Port::s_axi_wvalid(data_shown_);
        Port::s_axi_wdata(value_), Port::s_axi_wstrb(15);
        Port::s_axi_rready(ready_ && !writes_);
        Port::s_axi_bready(ready_ && writes_);
    }
    void sample() {
        const uint64_t r = Port::s_axi_rdata() << 2 | Port::s_axi_rresp(), b = Port::s_axi_bresp();
        const bool r_valid = Port::s_axi_rvalid(), b_valid = Port::s_axi_bvalid();
        if (r_valid && (!answer_ || writes_ || address_)) throw Failure{"register read answered before it was asked"};
        if (b_valid && (!answer_ || !writes_ || address_ || data_))
            throw Failure{"register write answered before it was asked"};
        if (read_.see(r_valid, ready_ && !writes_, r)) {
            answer_ = 0, value_ = static_cast<uint32_t>(r >> 2), response_ = r & 3;
        }
        if (write_.see(b_valid, ready_ && writes_, b)) answer_ = 0, response_ = static_cast<unsigned>(b);
        if (address_shown_ && (writes_ ? Port::s_axi_awready() : Port::s_axi_arready()))
            address_ = 0, address_shown_ = false;
        if (data_shown_ && Port::s_axi_wready()) data_ = 0, data_shown_ = false;
    }

private:
    bool goes() { return !(stall && random_.chance(stall)); }

    Random random_{0};
    Handshake<uint64_t> read_{"register R"}, write_{"register B"};
    bool writes_ = false, address_shown_ = false, data_shown_ = false, ready_ = false;
    unsigned address_ = 0, data_ = 0, answer_ = 0, response_ = 0;  // what is still to be handed over
    uint64_t where_ = 0;
    uint32_t value_ = 0;
};
