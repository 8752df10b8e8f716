// What Swift's Glibc module leaves out about sockets and epoll, or imports awkwardly.
#pragma once
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/// accept4 with a non-blocking, close-on-exec result.
int clinux_accept(int listener, struct sockaddr_storage *peer, socklen_t *peer_bytes);

/// A close-on-exec epoll instance; -1 and errno where there is none.
int clinux_epoll(void);

/// A non-blocking, close-on-exec eventfd; -1 and errno where there is none.
int clinux_eventfd(void);

/// The user ID of the process that connected a Unix socket; -1 where the kernel does not say.
int64_t clinux_peer_user(int descriptor);

/// Names the calling thread, as `top -H` shows it; at most 15 bytes count.
void clinux_name_thread(const char *name);

/// epoll_ctl: `EPOLL_CTL_ADD` or `EPOLL_CTL_MOD`, with a number to come back with each event.
static inline int clinux_epoll_set(
    int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event;
  event.events = events;
  event.data.u64 = data;
  return epoll_ctl(epoll, operation, descriptor, &event);
}
