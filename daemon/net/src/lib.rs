//! The kernel's network: links, addresses, raw sockets, ARP and NA frames, timers.
