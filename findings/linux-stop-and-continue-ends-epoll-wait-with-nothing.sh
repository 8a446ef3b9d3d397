#!/usr/bin/env bash
# A process that was stopped and goes on gets EINTR from epoll_wait, though it has no signal handler and events are ready.
#
# Version:     Linux (seen on 6.18); signal(7) has it under "Interruption of system calls by stop signals".
# Expectation: EINTR is for those who handle signals. A program without a handler that was stopped (a debugger, `kill -STOP`,
#              a frozen container) finds in its first epoll_wait afterwards what came meanwhile.
# Behaviour:   that epoll_wait fails with EINTR at once and tells of nothing, although a datagram and a timer are ready. A
#              loop that takes EINTR for "nothing happened" then looks at its deadlines, which have passed, before it has
#              read what came in time: a backup takes over from a master that is well. Wait once more, with timeout 0.
# Seen:        after SIGCONT: -1 (EINTR), then 2 ready
#
# Needs a C compiler.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/try.c" <<'C'
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) return 2;
    pid_t child = fork();
    if (!child) {
        int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
        struct itimerspec in = {.it_value = {.tv_nsec = 600000000}};
        struct epoll_event event = {.events = EPOLLIN}, ready[4];
        timerfd_settime(timer, 0, &in, NULL);
        epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
        epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
        int first = epoll_wait(epoll, ready, 4, 10000);
        int error = first < 0 ? errno : 0;
        int second = epoll_wait(epoll, ready, 4, 0);
        printf("after SIGCONT: %d (%s), then %d ready\n", first, error == EINTR ? "EINTR" : strerror(error), second);
        return first == -1 && error == EINTR && second == 2 ? 0 : 1;
    }
    usleep(200000);
    kill(child, SIGSTOP);
    usleep(200000);
    if (send(pair[1], "x", 1, 0) != 1) return 2;
    usleep(600000);
    kill(child, SIGCONT);
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}
C
cc -O1 -o "$folder/try" "$folder/try.c"
"$folder/try"
