/*
 * The server whose truth is known: it answers HTTP/1.1 with injected faults and logs what was true of every request.
 *
 *     server serve <log> key=value …     prints {"port":…} when it listens; SIGTERM writes the log and ends it
 *     server bill <file> <program> …     runs a program and writes its exit code and CPU in µs, its children included
 *
 * A request's arrival is the kernel's own timestamp of the segment that completed it (SO_TIMESTAMPNS), so that what this
 * loop adds is part of the truth and not of the error. One thread, nothing allocated while it serves, Linux only.
 * Whatever it runs, and itself, dies with the process that started it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST, OPENED, CLOSED, FROZEN };
enum { FATE_WHOLE, FATE_CLOSING, FATE_ERROR, FATE_RESET, FATE_LOST };

/* 48 bytes, little endian; log.ts reads them. Times are ns since 1970. */
struct record {
  uint32_t type, conn;
  uint64_t arrived, read, sent;
  uint32_t index, fate; /* of a request: the how manieth of its connection; of CLOSED: requests that were unanswered */
  uint64_t spare;
};

#define MOST_RECORDS (1u << 20)
#define MOST_CONNS 4096
#define MOST_PENDING 65536
#define INPUT 8192

struct conn {
  int used;
  uint32_t id, requests, pending;
  size_t length;
  uint64_t arrived;
  char input[INPUT];
};

/* A reply that is due. */
struct reply {
  uint64_t due, order;
  int fd;
  uint32_t id, record;
  int closing, old, fate;
};

static struct {
  long delay_us, slow_every, slow_us, freeze_after, freeze_us, serial_us, close_every, error_every, reset_every;
  long status, chunked, ipv6, hold, size;
} want = {.status = 200, .size = 1024};

static struct record *records;
static uint32_t count;
static struct conn conns[MOST_CONNS];
static struct reply heap[MOST_PENDING];
static size_t pending;
static uint64_t served, order, free_at;
static uint32_t connections;
static int poller, listener, timer;
static const char *log_path;
static volatile sig_atomic_t ended;
static char *body;

static uint64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct record *note(uint32_t type, uint32_t conn) {
  if (count == MOST_RECORDS) fail("the log is full");
  struct record *record = &records[count++];
  record->type = type;
  record->conn = conn;
  return record;
}

static int before(const struct reply *a, const struct reply *b) {
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct reply reply) {
  if (pending == MOST_PENDING) fail("too many requests wait");
  size_t at = pending++;
  for (; at > 0 && before(&reply, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = reply;
}

static struct reply pop(void) {
  struct reply first = heap[0], last = heap[--pending];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= pending) break;
    if (child + 1 < pending && before(&heap[child + 1], &heap[child])) child++;
    if (!before(&heap[child], &last)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

static void set_timer(void) {
  static uint64_t armed;
  uint64_t due = pending > 0 ? heap[0].due : 0;
  if (due == armed) return;
  armed = due;
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void end_conn(int fd, int reset) {
  struct conn *conn = &conns[fd];
  struct record *record = note(CLOSED, conn->id);
  record->arrived = now();
  record->fate = conn->pending;
  if (reset) {
    struct linger linger = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  }
  conn->used = 0;
  close(fd);
}

static void answer(const struct reply *reply) {
  struct conn *conn = &conns[reply->fd];
  struct record *record = &records[reply->record];
  if (!conn->used || conn->id != reply->id) return; /* The client is gone: the record says FATE_LOST. */
  static char text[1 << 17];
  long status = reply->fate == FATE_ERROR ? 503 : want.status;
  const char *connection = reply->closing ? "Connection: close\r\n" : reply->old ? "Connection: keep-alive\r\n" : "";
  int length = snprintf(text, sizeof text, "HTTP/1.1 %ld %s\r\nContent-Type: application/octet-stream\r\n%s", status,
                        status == 503 ? "Service Unavailable" : status == 204   ? "No Content"
                                                           : status == 304 ? "Not Modified"
                                                                           : "OK", connection);
  char *end = text + length;
  if (status == 204 || status == 304) end += sprintf(end, "\r\n");
  else if (want.chunked && !reply->old) {
    end += sprintf(end, "Trailer: X-Truth\r\nTransfer-Encoding: chunked\r\n\r\n%lx\r\n", want.size);
    end = mempcpy(end, body, (size_t)want.size);
    end += sprintf(end, "\r\n0\r\nX-Truth: 1\r\n\r\n");
  } else {
    end += sprintf(end, "Content-Length: %ld\r\n\r\n", want.size);
    end = mempcpy(end, body, (size_t)(reply->fate == FATE_RESET ? want.size / 2 : want.size));
  }
  record->fate = (uint32_t)reply->fate;
  record->sent = now();
  conn->pending--;
  size_t whole = (size_t)(end - text);
  ssize_t written = send(reply->fd, text, whole, MSG_NOSIGNAL);
  if (written != (ssize_t)whole) {
    record->fate = FATE_LOST;
    end_conn(reply->fd, 0);
  } else if (reply->fate == FATE_RESET) end_conn(reply->fd, 1);
  else if (reply->closing) {
    shutdown(reply->fd, SHUT_WR); /* What is pipelined behind it stays unanswered; the client closes. */
  }
}

static int has(const char *head, size_t length, const char *word) {
  for (size_t at = 0, size = strlen(word); at + size <= length; at++)
    if (strncasecmp(head + at, word, size) == 0) return 1;
  return 0;
}

static int every(long period, uint64_t number) { return period > 0 && number % (uint64_t)period == 0; }

static void freeze(void) {
  struct record *record = note(FROZEN, 0);
  record->arrived = now();
  struct timespec rest = {want.freeze_us / 1000000, want.freeze_us % 1000000 * 1000};
  while (nanosleep(&rest, &rest) != 0 && !ended) {}
  record->sent = now();
}

static void take(int fd, const char *head, size_t length) {
  struct conn *conn = &conns[fd];
  struct record *record = note(REQUEST, conn->id);
  uint64_t number = ++served, at = now();
  record->arrived = conn->arrived ? conn->arrived : at;
  record->read = at;
  record->index = conn->requests++;
  record->fate = FATE_LOST;
  conn->pending++;
  const char *line = memchr(head, '\r', length);
  int old = line != NULL && has(head, (size_t)(line - head), "HTTP/1.0");
  int closing = has(head, length, "\r\nconnection: close") || (old && !has(head, length, "\r\nconnection: keep-alive"));
  struct reply reply = {.order = order++, .fd = fd, .id = conn->id, .record = (uint32_t)(record - records), .old = old};
  reply.due = at + (uint64_t)(want.delay_us + (every(want.slow_every, number) ? want.slow_us : 0)) * 1000u;
  if (want.serial_us > 0) {
    free_at = (free_at > at ? free_at : at) + (uint64_t)want.serial_us * 1000u;
    reply.due = free_at;
  }
  reply.closing = closing || every(want.close_every, number);
  reply.fate = every(want.reset_every, number) ? FATE_RESET : every(want.error_every, number) ? FATE_ERROR : reply.closing ? FATE_CLOSING : FATE_WHOLE;
  if (want.freeze_us > 0 && number == (uint64_t)want.freeze_after) freeze();
  if (reply.due <= at) answer(&reply);
  else push(reply);
}

static void receive(int fd) {
  struct conn *conn = &conns[fd];
  char control[256];
  struct iovec part = {conn->input + conn->length, INPUT - conn->length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(fd, &message, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return end_conn(fd, 0);
  conn->arrived = 0;
  for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL; head = CMSG_NXTHDR(&message, head))
    if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec at;
      memcpy(&at, CMSG_DATA(head), sizeof at);
      conn->arrived = (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
    }
  conn->length += (size_t)got;
  for (;;) {
    char *end = memmem(conn->input, conn->length, "\r\n\r\n", 4);
    if (end == NULL) break;
    size_t length = (size_t)(end + 4 - conn->input);
    uint32_t id = conn->id;
    take(fd, conn->input, length);
    if (!conn->used || conn->id != id) return;
    conn->length -= length;
    memmove(conn->input, conn->input + length, conn->length);
  }
  if (conn->length == INPUT) end_conn(fd, 1);
}

static void welcome(void) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= MOST_CONNS) {
      close(fd);
      continue;
    }
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
    struct conn *conn = &conns[fd];
    conn->used = 1;
    conn->id = ++connections;
    conn->requests = conn->pending = 0;
    conn->length = 0;
    note(OPENED, conn->id)->arrived = now();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

/* How often a SYN found the queue of a listener full, in this network namespace. */
static long dropped(void) {
  static char text[1 << 16];
  int fd = open("/proc/net/netstat", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (length < 0) return -1;
  text[length] = 0;
  char *save_names, *save_values, *names = strstr(text, "TcpExt:");
  char *values = names == NULL ? NULL : strstr(names + 1, "TcpExt:");
  if (values == NULL) return -1;
  values[-1] = 0;
  char *rest = strchr(values, '\n');
  if (rest != NULL) *rest = 0;
  char *name = strtok_r(names, " ", &save_names), *value = strtok_r(values, " ", &save_values);
  for (; name != NULL && value != NULL; name = strtok_r(NULL, " ", &save_names), value = strtok_r(NULL, " ", &save_values))
    if (strcmp(name, "ListenDrops") == 0) return atol(value);
  return -1;
}

/*
 * Makes the first connection of whoever comes slow: the listener's queue is filled, so that its SYN is dropped and comes
 * again a second later (RFC 6298: the first retransmission), and emptied when that was seen.
 */
static void hold_first(struct sockaddr *address, socklen_t size) {
  int filler[2];
  for (int each = 0; each < 2; each++) {
    filler[each] = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect(filler[each], address, size);
  }
  usleep(20000);
  long start = dropped();
  printf("held\n");
  fflush(stdout);
  while (!ended && dropped() == start) usleep(2000);
  listen(listener, 4096);
  for (int each = 0; each < 2; each++) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    close(filler[each]);
  }
}

static void on_end(int signal) {
  (void)signal;
  ended = 1;
}

static void write_log(void) {
  FILE *file = fopen(log_path, "wb");
  if (file == NULL || fwrite(records, sizeof *records, count, file) != count || fclose(file) != 0) fail(log_path);
}

static void read_wants(char **words) {
  struct { const char *name; long *value; } known[] = {
      {"delayUs", &want.delay_us}, {"slowEvery", &want.slow_every}, {"slowUs", &want.slow_us},
      {"freezeAfter", &want.freeze_after}, {"freezeUs", &want.freeze_us}, {"serialUs", &want.serial_us},
      {"closeEvery", &want.close_every}, {"errorEvery", &want.error_every}, {"resetEvery", &want.reset_every},
      {"status", &want.status}, {"chunked", &want.chunked}, {"ipv6", &want.ipv6}, {"hold", &want.hold}, {"size", &want.size}};
  for (; *words != NULL; words++) {
    char *value = strchr(*words, '=');
    size_t each = 0, number = sizeof known / sizeof *known;
    for (; value != NULL && each < number; each++)
      if (strlen(known[each].name) == (size_t)(value - *words) && strncmp(known[each].name, *words, (size_t)(value - *words)) == 0) break;
    if (value == NULL || each == number) {
      fprintf(stderr, "unknown: %s\n", *words);
      exit(2);
    }
    *known[each].value = atol(value + 1);
  }
}

static int serve(char **words) {
  log_path = words[0];
  read_wants(words + 1);
  records = mmap(NULL, MOST_RECORDS * sizeof *records, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (records == MAP_FAILED || want.size < 0 || want.size > 65536) fail("cannot begin");
  memset(records, 0, (size_t)65536 * sizeof *records); /* The first pages are there before the first request. */
  body = malloc((size_t)want.size + 1);
  memset(body, 'm', (size_t)want.size);
  struct sigaction action = {.sa_handler = on_end};
  sigaction(SIGTERM, &action, NULL);
  signal(SIGINT, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);

  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr *address = want.ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
  socklen_t size = want.ipv6 ? sizeof v6 : sizeof v4;
  listener = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, address, size) != 0 || listen(listener, want.hold ? 0 : 4096) != 0) fail("listen");
  getsockname(listener, address, &size);
  printf("{\"port\":%d}\n", ntohs(want.ipv6 ? v6.sin6_port : v4.sin_port));
  fflush(stdout);
  if (want.hold) hold_first(address, size);

  poller = epoll_create1(EPOLL_CLOEXEC);
  timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = timer;
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
  struct epoll_event events[256];
  while (!ended) {
    while (pending > 0 && heap[0].due <= now()) {
      struct reply reply = pop();
      answer(&reply);
    }
    set_timer();
    int ready = epoll_wait(poller, events, 256, -1);
    for (int each = 0; each < ready && !ended; each++) {
      int fd = events[each].data.fd;
      uint64_t ticks;
      if (fd == listener) welcome();
      else if (fd == timer) (void)!read(timer, &ticks, sizeof ticks);
      else if (conns[fd].used) receive(fd);
    }
  }
  write_log();
  return 0;
}

static int bill(char **words) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(words[1], words + 1);
    fail(words[1]);
  }
  int status;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {}
  FILE *file = fopen(words[0], "w");
  if (file == NULL) fail(words[0]);
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  fprintf(file, "{\"code\":%d,\"cpuUs\":%ld}\n", code,
          (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  return fclose(file) == 0 ? code : 1;
}

int main(int argc, char **argv) {
  pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return 1;
  if (argc >= 3 && strcmp(argv[1], "serve") == 0) return serve(argv + 2);
  if (argc >= 4 && strcmp(argv[1], "bill") == 0) return bill(argv + 2);
  fprintf(stderr, "usage: server serve <log> [key=value …] | server bill <file> <program> [argument …]\n");
  return 2;
}
