/* The yardstick of bench/checks.py: what checks cost in a C program that does nothing else.
 *
 *     loop server PORT                                       accepts connections, answers requests with 512 bytes, closes
 *     loop tcp|http PORT SERVERS INTERVAL SETTLE MEASURE     checks a fleet
 *
 * The client does what a checker cannot do without: each of SERVERS servers (127.0.0.1 onwards) is checked every INTERVAL
 * milliseconds at a phase of its own, each check has a time limit, and its result is kept.  It sleeps until the next timer or
 * socket.  After SETTLE milliseconds it counts for MEASURE milliseconds, and prints: checks, failures, microseconds of CPU spent in
 * user and in system mode.
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
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define TIME_LIMIT 5000000

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

static _Noreturn void serve(int port)
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

struct server {
    long due;      /* next check, or the time limit of the one under way; microseconds */
    long slot;     /* its place on the grid of INTERVAL */
    int fd;        /* -1: no check is under way */
    int up;
    int status;    /* of the reply, 0 before it is known */
    int failures;
    unsigned place; /* in the heap */
};

static struct server *servers;
static unsigned *heap, count;
static int by_fd[1 << 20];
static int epoll, port, http;
static long interval, ended, failed;

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}

/* ---- a heap of servers by due, each of which knows its place ---- */

static void put(unsigned place, unsigned who)
{
    heap[place] = who;
    servers[who].place = place;
}

static void settle(unsigned place)
{
    unsigned who = heap[place];
    long due = servers[who].due;

    while (place > 0 && servers[heap[(place - 1) / 2]].due > due) {
        put(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        unsigned child = 2 * place + 1;
        if (child + 1 < count && servers[heap[child + 1]].due < servers[heap[child]].due)
            child++;
        if (child >= count || servers[heap[child]].due >= due)
            break;
        put(place, heap[child]);
        place = child;
    }
    put(place, who);
}

static void set_due(struct server *server, long due)
{
    server->due = due;
    settle(server->place);
}

/* ---- a check ---- */

static void finish(struct server *server, int passed)
{
    watch(epoll, EPOLL_CTL_DEL, server->fd, 0);
    close(server->fd);
    server->fd = -1;
    ended++;
    failed += !passed;
    server->failures = passed ? 0 : server->failures + 1;
    server->up = passed || (server->up && server->failures < 2);
    server->slot += interval;
    set_due(server, server->slot);
}

static void begin(struct server *server, unsigned number)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0)
        fatal("socket");
    server->status = 0;
    by_fd[server->fd] = (int)number;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number);
    if (connect(server->fd, (struct sockaddr *)&there, sizeof there) && errno != EINPROGRESS)
        fatal("connect");
    watch(epoll, EPOLL_CTL_ADD, server->fd, EPOLLOUT);
    set_due(server, now() + TIME_LIMIT);
}

static void go_on(struct server *server, unsigned events)
{
    char buffer[65536];
    int error = 0;
    socklen_t size = sizeof error;

    if (events & EPOLLOUT) {
        if (getsockopt(server->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error || !http) {
            finish(server, !error);
            return;
        }
        if (write(server->fd, request, sizeof request - 1) != sizeof request - 1)
            finish(server, 0);
        else
            watch(epoll, EPOLL_CTL_MOD, server->fd, EPOLLIN);
        return;
    }
    ssize_t got = read(server->fd, buffer, sizeof buffer - 1);
    if (got <= 0) {
        finish(server, got == 0 && server->status == 200);
        return;
    }
    buffer[got] = 0;
    if (!server->status && strstr(buffer, "\r\n\r\n"))
        sscanf(buffer, "HTTP/%*s %d", &server->status);
}

static void check_fleet(long until)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        long moment = now();
        while (servers[heap[0]].due <= moment) {
            struct server *first = &servers[heap[0]];
            if (first->fd >= 0)
                finish(first, 0);
            else
                begin(first, heap[0]);
        }
        if (moment >= until)
            return;
        long rest = servers[heap[0]].due - moment;
        struct timespec wait = {rest / 1000000, rest % 1000000 * 1000};
        int ready = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
        for (int i = 0; i < ready; i++)
            go_on(&servers[by_fd[events[i].data.fd]], events[i].events);
    }
}

static long microseconds(struct timeval time)
{
    return time.tv_sec * 1000000L + time.tv_usec;
}

int main(int argc, char **argv)
{
    struct rusage before, after;

    if (argc == 3 && !strcmp(argv[1], "server"))
        serve(atoi(argv[2]));
    if (argc != 7) {
        fprintf(stderr, "usage: loop server PORT | loop tcp|http PORT SERVERS INTERVAL SETTLE MEASURE\n");
        return 2;
    }
    http = !strcmp(argv[1], "http");
    port = atoi(argv[2]);
    count = (unsigned)atoi(argv[3]);
    interval = atol(argv[4]) * 1000;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    servers = calloc(count, sizeof *servers);
    heap = calloc(count, sizeof *heap);
    long start = now();
    for (unsigned i = 0; i < count; i++) {
        servers[i] = (struct server){.fd = -1, .slot = start + (long)(drand48() * (double)interval)};
        servers[i].due = servers[i].slot;
        put(i, i);
    }
    for (unsigned i = count; i-- > 0;)
        settle(i);
    check_fleet(start + atol(argv[5]) * 1000);
    getrusage(RUSAGE_SELF, &before);
    long counted = ended, lost = failed;
    check_fleet(start + (atol(argv[5]) + atol(argv[6])) * 1000);
    getrusage(RUSAGE_SELF, &after);
    printf("%ld %ld %ld %ld\n", ended - counted, failed - lost, microseconds(after.ru_utime) - microseconds(before.ru_utime),
           microseconds(after.ru_stime) - microseconds(before.ru_stime));
    return 0;
}
