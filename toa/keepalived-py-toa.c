// SPDX-License-Identifier: GPL-2.0-only
/*
 * keepalived-py-toa: loads toa.bpf.c on a real server.
 *
 *	attach PREFIX...	from now on accept() and getpeername() tell the
 *				clients behind directors at these prefixes
 *	trust PREFIX...		replace the prefixes of what is attached
 *	status			what is attached, trusted, counted
 *	detach			stop; sockets that are open tell the director
 *
 * What is attached stays when the program ends: it is pinned in the BPF file
 * system.  Attaching anew replaces it without a gap in which connections would
 * be missed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "toa.skel.h"

#define BPF_FS_MAGIC	0xcafe4a11
#define CGROUP2_MAGIC	0x63677270
#define PREFIXES_MAX	4096

static const char *cgroup = "/sys/fs/cgroup";
static const char *pin = "/sys/fs/bpf/keepalived-py-toa";
static bool verbose;

/* As toa.bpf.c has them. */
struct prefix {
	__u32 bits;
	unsigned char address[16];
};

static const char *const counter_names[] = {
	"found", "absent", "distrusted", "no memory",
};

static const char *const map_names[] = { "trusted4", "trusted6", "counters" };
static const char *const program_names[] = {
	"toa_established", "toa_getpeername4", "toa_getpeername6",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

__attribute__((format(printf, 1, 2))) __attribute__((noreturn))
static void die(const char *format, ...)
{
	va_list arguments;

	fputs("keepalived-py-toa: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static int quiet(enum libbpf_print_level level, const char *format,
		 va_list arguments)
{
	if (!verbose && level != LIBBPF_WARN)
		return 0;
	return vfprintf(stderr, format, arguments);
}

static void path_of(char *path, size_t size, const char *folder,
		    const char *name)
{
	if (snprintf(path, size, "%s/%s", folder, name) >= (int)size)
		die("%s/%s: too long", folder, name);
}

/*
 * Prefixes
 */

/* Read "203.0.113.128/25", and return the address family. */
static int parse_prefix(const char *text, struct prefix *prefix)
{
	char address[INET6_ADDRSTRLEN], *end;
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	unsigned int number, most = family == AF_INET6 ? 128 : 32;
	unsigned long bits = most;

	memset(prefix, 0, sizeof(*prefix));
	if (length >= sizeof(address))
		die("%s: not a prefix", text);
	memcpy(address, text, length);
	address[length] = '\0';
	if (slash) {
		bits = strtoul(slash + 1, &end, 10);
		if (!slash[1] || *end || bits > most)
			die("%s: not a prefix", text);
	}
	if (inet_pton(family, address, prefix->address) != 1)
		die("%s: not a prefix", text);
	if (bits == 0)
		die("%s: would trust everybody, who could then claim to be anybody", text);
	prefix->bits = bits;
	for (number = bits; number < most; number++)
		prefix->address[number / 8] &= ~(0x80 >> number % 8);
	return family;
}

static void print_prefixes(int map, int family)
{
	struct prefix key, next;
	void *from = NULL;
	char text[INET6_ADDRSTRLEN];

	while (bpf_map_get_next_key(map, from, &next) == 0) {
		inet_ntop(family, next.address, text, sizeof(text));
		printf("trusted %s/%u\n", text, next.bits);
		key = next;
		from = &key;
	}
}

static void remove_others(int map, size_t size, const struct prefix *wanted,
			  int count)
{
	struct prefix gone[64], next;
	int number, found;

	do { /* a key that is deleted must not be the one to go on from */
		struct prefix key;
		void *from = NULL;

		found = 0;
		memset(&next, 0, sizeof(next));
		while (found < (int)COUNT(gone) && bpf_map_get_next_key(map, from, &next) == 0) {
			for (number = 0; number < count; number++)
				if (!memcmp(&wanted[number], &next, size))
					break;
			if (number == count)
				gone[found++] = next;
			key = next;
			from = &key;
		}
		for (number = 0; number < found; number++)
			bpf_map_delete_elem(map, &gone[number]);
	} while (found == (int)COUNT(gone));
}

/* Trust these prefixes and no others; there is no moment without those that
 * stay.
 */
static void trust(int map4, int map6, char **texts, int count)
{
	static struct prefix four[PREFIXES_MAX], six[PREFIXES_MAX];
	int fours = 0, sixes = 0, number;
	__u32 yes = 1;

	if (count > PREFIXES_MAX)
		die("over %d prefixes", PREFIXES_MAX);
	for (number = 0; number < count; number++) {
		struct prefix prefix;

		if (parse_prefix(texts[number], &prefix) == AF_INET)
			four[fours++] = prefix;
		else
			six[sixes++] = prefix;
	}
	for (number = 0; number < fours; number++)
		if (bpf_map_update_elem(map4, &four[number], &yes, BPF_ANY))
			die("cannot trust a prefix: %s", strerror(errno));
	for (number = 0; number < sixes; number++)
		if (bpf_map_update_elem(map6, &six[number], &yes, BPF_ANY))
			die("cannot trust a prefix: %s", strerror(errno));
	remove_others(map4, 8, four, fours);
	remove_others(map6, 20, six, sixes);
}

/*
 * Attaching
 */

static void need_filesystem(const char *path, long magic, const char *remedy)
{
	struct statfs status;

	if (statfs(path, &status) || status.f_type != magic)
		die("%s is not what it should be; run: %s", path, remedy);
}

static void need_kernel(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	    (major > 5 || (major == 5 && minor >= 8)))
		return;
	die("Linux %s is too old: getpeername hooks came with 5.8", name.release);
}

static int open_pinned(const char *name)
{
	char path[512];
	int fd;

	path_of(path, sizeof(path), pin, name);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		die("nothing is attached (no %s)", path);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void forget(const char *folder)
{
	size_t number;
	char path[512];

	for (number = 0; number < COUNT(program_names); number++) {
		path_of(path, sizeof(path), folder, program_names[number]);
		unlink(path);
	}
	for (number = 0; number < COUNT(map_names); number++) {
		path_of(path, sizeof(path), folder, map_names[number]);
		unlink(path);
	}
	rmdir(folder);
}

static void pin_link(struct bpf_program *program, int group, const char *folder)
{
	const char *name = bpf_program__name(program);
	struct bpf_link *link = bpf_program__attach_cgroup(program, group);
	char path[512];

	if (!link)
		die("%s cannot be attached to %s: %s", name, cgroup, strerror(errno));
	path_of(path, sizeof(path), folder, name);
	if (bpf_link__pin(link, path))
		die("%s: %s", path, strerror(errno));
	/* The pin keeps it. */
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
}

static void pin_map(struct bpf_map *map, const char *folder)
{
	char path[512];

	path_of(path, sizeof(path), folder, bpf_map__name(map));
	if (bpf_map__pin(map, path))
		die("%s: %s", path, strerror(errno));
}

static void attach(char **prefixes, int count)
{
	struct toa_bpf *toa;
	char fresh[512];
	int group;

	need_kernel();
	need_filesystem("/sys/fs/bpf", BPF_FS_MAGIC, "mount -t bpf bpf /sys/fs/bpf");
	need_filesystem(cgroup, CGROUP2_MAGIC, "mount -t cgroup2 cgroup2 /sys/fs/cgroup (or name it by --cgroup)");
	group = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group < 0)
		die("%s: %s", cgroup, strerror(errno));

	toa = toa_bpf__open_and_load();
	if (!toa)
		die("the kernel does not take the program: %s", strerror(errno));
	trust(bpf_map__fd(toa->maps.trusted4), bpf_map__fd(toa->maps.trusted6), prefixes, count);

	/* That file system knows no names with a dot. */
	if (snprintf(fresh, sizeof(fresh), "%s-new", pin) >= (int)sizeof(fresh))
		die("%s: too long", pin);
	forget(fresh);
	if (mkdir(fresh, 0700))
		die("%s: %s", fresh, strerror(errno));
	pin_map(toa->maps.trusted4, fresh);
	pin_map(toa->maps.trusted6, fresh);
	pin_map(toa->maps.counters, fresh);
	/* The one that answers first, the one that asks last. */
	pin_link(toa->progs.toa_getpeername4, group, fresh);
	pin_link(toa->progs.toa_getpeername6, group, fresh);
	pin_link(toa->progs.toa_established, group, fresh);
	forget(pin);
	if (rename(fresh, pin))
		die("%s: %s", pin, strerror(errno));
	toa_bpf__destroy(toa);
}

static void status(void)
{
	int counters = open_pinned("counters"), cpus = libbpf_num_possible_cpus();
	__u64 *values = calloc(cpus > 0 ? cpus : 1, sizeof(*values));
	__u32 number;
	int cpu;

	if (!values)
		die("no memory");
	print_prefixes(open_pinned("trusted4"), AF_INET);
	print_prefixes(open_pinned("trusted6"), AF_INET6);
	for (number = 0; number < COUNT(counter_names); number++) {
		__u64 sum = 0;

		if (bpf_map_lookup_elem(counters, &number, values))
			die("counters: %s", strerror(errno));
		for (cpu = 0; cpu < cpus; cpu++)
			sum += values[cpu];
		printf("%s %llu\n", counter_names[number], (unsigned long long)sum);
	}
	free(values);
}

__attribute__((noreturn)) static void usage(int status)
{
	fputs("usage: keepalived-py-toa [--cgroup DIR] [--pin DIR] [--verbose] COMMAND\n"
	      "  attach PREFIX...  tell the clients behind directors at these prefixes\n"
	      "  trust PREFIX...   replace the prefixes\n"
	      "  status            what is trusted and counted\n"
	      "  detach            stop\n", status ? stderr : stdout);
	exit(status);
}

int main(int argc, char **argv)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const char *command;

	for (argv++, argc--; argc && argv[0][0] == '-'; argv++, argc--) {
		if (!strcmp(argv[0], "--help")) {
			usage(0);
		} else if (!strcmp(argv[0], "--verbose")) {
			verbose = true;
		} else if (argc > 1 && !strcmp(argv[0], "--cgroup")) {
			cgroup = (argv++, argc--, argv[0]);
		} else if (argc > 1 && !strcmp(argv[0], "--pin")) {
			pin = (argv++, argc--, argv[0]);
		} else {
			usage(2);
		}
	}
	if (!argc)
		usage(2);
	command = (argc--, *argv++);
	libbpf_set_print(quiet);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* before 5.11 */

	if (!strcmp(command, "attach") && argc)
		attach(argv, argc);
	else if (!strcmp(command, "trust") && argc)
		trust(open_pinned("trusted4"), open_pinned("trusted6"), argv, argc);
	else if (!strcmp(command, "status") && !argc)
		status();
	else if (!strcmp(command, "detach") && !argc)
		close(open_pinned("counters")), forget(pin);
	else
		usage(2);
	return 0;
}
