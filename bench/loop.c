/* The yardstick of bench/checks.py: how little a check can cost.
 *
 *     loop server PORT                       accepts connections, answers requests with 512 bytes, closes
 *     loop tcp PORT COUNT INFLIGHT           makes COUNT connections, INFLIGHT at a time
 *     loop http PORT COUNT INFLIGHT          the same, with a GET each, and its reply read to the end
 *
 * A client goes round 127.0.0.1 to 127.0.3.232 as a fleet of servers would, and prints: checks, failures, microseconds of CPU spent
 * in user and in system mode.  No timers, no state, no log: what a checker adds to this is its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLEET 1000
#define EVENTS 256

static const char request[] = "GET /health HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1\r\n\r\n";
static char reply[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 512\r\n\r\n";
static char page[sizeof reply - 1 + 512];

static void fatal(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int epoll, int operation, int fd, unsigned events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, operation, fd, &event))
        fatal("epoll_ctl");
}

static int serve(int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event events[EVENTS];
    char buffer[4096];
    int one = 1, epoll = epoll_create1(EPOLL_CLOEXEC), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    memcpy(page, reply, sizeof reply - 1);
    memset(page + sizeof reply - 1, 'x', 512);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096))
        fatal("listen");
    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int accepted;
                while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    watch(epoll, EPOLL_CTL_ADD, accepted, EPOLLIN);
                continue;
            }
            if (read(fd, buffer, sizeof buffer) > 0 && write(fd, page, sizeof page) < 0 && errno == EAGAIN)
                continue;
            close(fd);
        }
    }
}

static int begin(int epoll, int port, long number)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fatal("socket");
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (unsigned)(number % FLEET));
    if (connect(fd, (struct sockaddr *)&there, sizeof there) && errno != EINPROGRESS)
        fatal("connect");
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT);
    return fd;
}

/* Goes on with a connection; returns -1 while it lasts, else whether the check has passed. */
static int go_on(int epoll, int fd, unsigned events, int http, char *good)
{
    char buffer[65536];
    int error = 0;
    socklen_t size = sizeof error;

    if (events & EPOLLOUT) {
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
            return 0;
        if (!http)
            return 1;
        if (write(fd, request, sizeof request - 1) != sizeof request - 1)
            return 0;
        *good = 0;
        watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
        return -1;
    }
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got > 0) {
        if (got >= 12 && !memcmp(buffer + 8, " 200", 4))
            *good = 1;
        return -1;
    }
    return got == 0 && *good;
}

static int ask(int http, int port, long count, long inflight)
{
    static char good[1 << 20];
    struct epoll_event events[EVENTS];
    struct rusage used;
    long begun = 0, ended = 0, failed = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    while (ended < count) {
        while (begun < count && begun - ended < inflight)
            begin(epoll, port, begun++);
        int ready = epoll_wait(epoll, events, EVENTS, 5000);
        if (ready <= 0)
            fatal("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            int passed = go_on(epoll, fd, events[i].events, http, &good[fd]);
            if (passed < 0)
                continue;
            close(fd);
            ended++;
            failed += !passed;
        }
    }
    getrusage(RUSAGE_SELF, &used);
    printf("%ld %ld %ld %ld\n", ended, failed, used.ru_utime.tv_sec * 1000000L + used.ru_utime.tv_usec,
           used.ru_stime.tv_sec * 1000000L + used.ru_stime.tv_usec);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "server"))
        return serve(atoi(argv[2]));
    if (argc == 5)
        return ask(!strcmp(argv[1], "http"), atoi(argv[2]), atol(argv[3]), atol(argv[4]));
    fprintf(stderr, "usage: loop server PORT | loop tcp|http PORT COUNT INFLIGHT\n");
    return 2;
}
