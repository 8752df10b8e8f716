// A closed-loop load generator for Roost (ttrpc) and Redis (RESP) on loopback.
//
// Every connection sends `depth` requests in one write, waits for all of their answers, and
// starts again. Requests are encoded before the clock starts, so that the generator is cheap and
// both servers get the same keys in the same order. Keys are "key:%016u" (20 B), values 100 B.
//
//   loadgen -m ttrpc|resp -o load|get|set -p PORT [-c CONNECTIONS] [-P DEPTH] [-t SECONDS]
//           [-n KEYS] [-A TOKEN] [-F FIRST] [-X UNIX_MILLIS] [-M]
//
// -F numbers keys from FIRST on; -X lets what is written end at a moment (ttrpc); -M lets a get of
// a missing key pass.
//
// Prints one line: ops, seconds, rate, latency percentiles of a whole batch in microseconds,
// misses and errors. Exits 1 where the server closed a connection or an answer was an error.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { KEY_BYTES = 20, VALUE_BYTES = 100, READ_BYTES = 1 << 18, POOL_REQUESTS = 1 << 18 };
enum operation { OP_LOAD, OP_GET, OP_SET };

static struct {
  int resp, port, connections, depth;
  enum operation operation;
  double seconds;
  uint32_t keys, first;
  uint64_t ends_at;
  int may_miss;
  const char *token;
} options = {.connections = 50, .depth = 1, .seconds = 5, .keys = 1000000};

struct connection {
  int fd;
  size_t write_at, write_end;
  int pending;
  uint64_t started_at;
  uint8_t *input;
  size_t input_bytes;
};

// The encoded requests, one after the other; request i is [offsets[i], offsets[i + 1]).
static uint8_t *requests;
static size_t request_bytes, request_capacity;
static size_t *offsets;
static uint32_t request_count, next_to_load;

static uint64_t answers, misses, errors;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_nanos(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// xorshift64: the same sequence in every run.
static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

// --- latency histogram: 512 buckets per power of two of 0.1 us, within 0.2 %

static uint64_t histogram[1 << 15], histogram_count, longest_nanos;

static void record_latency(uint64_t nanos) {
  uint64_t tenths = nanos / 100;
  if (nanos > longest_nanos) longest_nanos = nanos;
  size_t bucket = tenths;
  if (tenths >= 1024) {
    int exponent = 63 - __builtin_clzll(tenths);
    bucket = 1024 + (size_t)(exponent - 10) * 512 + ((tenths >> (exponent - 9)) & 511);
  }
  histogram[bucket < (1 << 15) ? bucket : (1 << 15) - 1]++;
  histogram_count++;
}

static double percentile_micros(double fraction) {
  uint64_t seen = 0, wanted = (uint64_t)(fraction * (double)histogram_count);
  for (size_t bucket = 0; bucket < (1 << 15); bucket++) {
    seen += histogram[bucket];
    if (seen > wanted) {
      if (bucket < 1024) return (double)bucket / 10;
      size_t exponent = (bucket - 1024) / 512 + 10, mantissa = 512 + ((bucket - 1024) & 511);
      return (double)(mantissa << (exponent - 9)) / 10;
    }
  }
  return 0;
}

// --- encoding

static void append(const void *bytes, size_t count) {
  if (request_bytes + count > request_capacity) {
    request_capacity = request_capacity ? request_capacity * 2 : 1 << 20;
    requests = realloc(requests, request_capacity);
    if (!requests) die("realloc");
  }
  memcpy(requests + request_bytes, bytes, count);
  request_bytes += count;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value) {
  while (value >= 128) {
    *at++ = (uint8_t)(value | 128);
    value >>= 7;
  }
  *at++ = (uint8_t)value;
  return at;
}

static uint8_t *put_bytes(uint8_t *at, int field, const void *bytes, size_t count) {
  *at++ = (uint8_t)(field << 3 | 2);
  at = put_varint(at, count);
  memcpy(at, bytes, count);
  return at + count;
}

static void put_be32(uint8_t *at, uint32_t value) {
  value = htonl(value);
  memcpy(at, &value, 4);
}

static void encode_resp(const char *key, const char *value) {
  char request[256];
  int count = value
                  ? snprintf(request, sizeof request,
                             "*3\r\n$3\r\nSET\r\n$20\r\n%s\r\n$100\r\n%.100s\r\n", key, value)
                  : snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$20\r\n%s\r\n", key);
  append(request, (size_t)count);
}

static void encode_ttrpc(uint32_t stream_id, const char *key, const char *value) {
  uint8_t message[256], *m = put_bytes(message, 1, key, KEY_BYTES);
  if (value) {
    uint8_t inner[128], *v = put_bytes(inner, 2, value, VALUE_BYTES);  // Value.text_value
    m = put_bytes(m, 2, inner, (size_t)(v - inner));
    if (options.ends_at) {
      uint8_t *e = inner;
      *e++ = 2 << 3;  // Expiration.at_ms
      e = put_varint(e, options.ends_at);
      m = put_bytes(m, 3, inner, (size_t)(e - inner));
    }
  }
  uint8_t frame[1024], *f = frame + 10;
  f = put_bytes(f, 1, "roost.v1.KV", 11);
  f = put_bytes(f, 2, value ? "Set" : "Get", 3);
  f = put_bytes(f, 3, message, (size_t)(m - message));
  *f++ = 4 << 3;
  f = put_varint(f, 5000000000u);  // timeout_nano: 5 s
  if (options.token) {
    char bearer[256];
    int count = snprintf(bearer, sizeof bearer, "Bearer %s", options.token);
    uint8_t pair[512], *p = put_bytes(pair, 1, "authorization", 13);
    p = put_bytes(p, 2, bearer, (size_t)count);
    f = put_bytes(f, 5, pair, (size_t)(p - pair));
  }
  put_be32(frame, (uint32_t)(f - frame - 10));
  put_be32(frame + 4, stream_id);
  frame[8] = 1;  // request
  frame[9] = 0;
  append(frame, (size_t)(f - frame));
}

static void encode_requests(void) {
  request_count = options.operation == OP_LOAD ? options.keys : POOL_REQUESTS;
  offsets = malloc((request_count + 1) * sizeof *offsets);
  if (!offsets) die("malloc");
  for (uint32_t i = 0; i < request_count; i++) {
    uint32_t number =
        options.first +
        (options.operation == OP_LOAD ? i : (uint32_t)(next_random() % options.keys));
    char key[32], value[VALUE_BYTES + 1], label[32];
    snprintf(key, sizeof key, "key:%016u", number);
    int count = snprintf(label, sizeof label, "val:%u:", number);
    memset(value, 'x', VALUE_BYTES);
    memcpy(value, label, (size_t)count);
    value[VALUE_BYTES] = 0;
    const char *set = options.operation == OP_GET ? NULL : value;
    offsets[i] = request_bytes;
    if (options.resp)
      encode_resp(key, set);
    else
      encode_ttrpc(i * 2 + 1, key, set);
  }
  offsets[request_count] = request_bytes;
}

// --- decoding: how many whole answers are at the front of the input

static size_t count_ttrpc(const uint8_t *input, size_t bytes, int *count) {
  size_t at = 0;
  while (bytes - at >= 10) {
    uint32_t length;
    memcpy(&length, input + at, 4);
    length = ntohl(length);
    if (bytes - at < 10 + (size_t)length) break;
    // Field 1 of a response is its status, which is left out when it is OK.
    if (input[at + 8] != 2 || (length > 0 && input[at + 10] == 0x0a)) errors++;
    if (options.operation == OP_GET && length < VALUE_BYTES && !options.may_miss) misses++;
    at += 10 + length;
    ++*count;
  }
  return at;
}

static size_t count_resp(const uint8_t *input, size_t bytes, int *count) {
  size_t at = 0;
  while (at < bytes) {
    const uint8_t *newline = memchr(input + at, '\n', bytes - at);
    if (!newline) break;
    size_t end = (size_t)(newline - input) + 1;
    if (input[at] == '-') errors++;
    if (input[at] == '$') {
      long length = strtol((const char *)input + at + 1, NULL, 10);
      if (length < 0) misses++;
      else if (bytes - end < (size_t)length + 2) break;
      else end += (size_t)length + 2;
    }
    at = end;
    ++*count;
  }
  return at;
}

// --- the loop

static void watch(int epoll, struct connection *c, int change, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll, change, c->fd, &event) != 0) die("epoll_ctl");
}

static void send_batch(int epoll, struct connection *c) {
  while (c->write_at < c->write_end) {
    ssize_t sent = write(c->fd, requests + c->write_at, c->write_end - c->write_at);
    if (sent < 0) {
      if (errno != EAGAIN) die("write");
      watch(epoll, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
      return;
    }
    c->write_at += (size_t)sent;
  }
}

// Starts the next batch; 0 where a load has no more keys.
static int start_batch(int epoll, struct connection *c, uint64_t now) {
  uint32_t first, count = (uint32_t)options.depth;
  if (options.operation == OP_LOAD) {
    first = next_to_load;
    if (count > request_count - first) count = request_count - first;
    if (count == 0) return 0;
    next_to_load += count;
  } else {
    first = (uint32_t)(next_random() % (request_count - count));
  }
  c->write_at = offsets[first];
  c->write_end = offsets[first + count];
  c->pending = (int)count;
  c->started_at = now;
  send_batch(epoll, c);
  return 1;
}

static void receive(struct connection *c) {
  ssize_t got = read(c->fd, c->input + c->input_bytes, READ_BYTES - c->input_bytes);
  if (got <= 0) {
    if (got < 0 && errno == EAGAIN) return;
    fprintf(stderr, "loadgen: the server closed a connection\n");
    exit(1);
  }
  c->input_bytes += (size_t)got;
  int count = 0;
  size_t used = options.resp ? count_resp(c->input, c->input_bytes, &count)
                             : count_ttrpc(c->input, c->input_bytes, &count);
  memmove(c->input, c->input + used, c->input_bytes - used);
  c->input_bytes -= used;
  c->pending -= count;
  answers += (uint64_t)count;
}

static void connect_to_server(struct connection *c) {
  struct sockaddr_in address = {
      .sin_family = AF_INET,
      .sin_port = htons((uint16_t)options.port),
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
  };
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address) != 0) die("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->input = malloc(READ_BYTES);
  if (!c->input) die("malloc");
}

static double run(void) {
  int epoll = epoll_create1(0), live = 0;
  struct connection *connections = calloc((size_t)options.connections, sizeof *connections);
  if (epoll < 0 || !connections) die("setup");
  for (int i = 0; i < options.connections; i++) {
    connect_to_server(&connections[i]);
    watch(epoll, &connections[i], EPOLL_CTL_ADD, EPOLLIN);
  }
  uint64_t start = now_nanos(), end = start + (uint64_t)(options.seconds * 1e9);
  uint64_t last_answer = start;
  for (int i = 0; i < options.connections; i++)
    live += start_batch(epoll, &connections[i], start);
  struct epoll_event events[512];
  while (live > 0) {
    int count = epoll_wait(epoll, events, 512, 1000);
    uint64_t now = now_nanos();
    if (count > 0) last_answer = now;
    if (now - last_answer > 10000000000u) {
      fprintf(stderr, "loadgen: no answer for 10 s\n");
      exit(1);
    }
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) {
        send_batch(epoll, c);
        if (c->write_at == c->write_end) watch(epoll, c, EPOLL_CTL_MOD, EPOLLIN);
      }
      if (!(events[i].events & ~(uint32_t)EPOLLOUT)) continue;
      receive(c);
      if (c->pending > 0) continue;
      uint64_t done = now_nanos();
      record_latency(done - c->started_at);
      int stop = options.operation != OP_LOAD && now >= end;
      if (stop || !start_batch(epoll, c, done)) live--;
    }
  }
  return (double)(now_nanos() - start) / 1e9;
}

int main(int argc, char **argv) {
  int option;
  while ((option = getopt(argc, argv, "m:o:p:c:P:t:n:A:F:X:M")) != -1) switch (option) {
      case 'm': options.resp = !strcmp(optarg, "resp"); break;
      case 'o':
        options.operation = !strcmp(optarg, "get")   ? OP_GET
                            : !strcmp(optarg, "set") ? OP_SET
                                                     : OP_LOAD;
        break;
      case 'p': options.port = atoi(optarg); break;
      case 'c': options.connections = atoi(optarg); break;
      case 'P': options.depth = atoi(optarg); break;
      case 't': options.seconds = atof(optarg); break;
      case 'n': options.keys = (uint32_t)atoi(optarg); break;
      case 'A': options.token = optarg; break;
      case 'F': options.first = (uint32_t)atoi(optarg); break;
      case 'X': options.ends_at = strtoull(optarg, NULL, 10); break;
      case 'M': options.may_miss = 1; break;
      default: return 64;
    }
  if (options.port < 1 || options.connections < 1 || options.depth < 1 || options.keys < 1 ||
      options.depth >= POOL_REQUESTS || (options.token && strlen(options.token) > 200)) {
    fprintf(stderr,
            "usage: loadgen -m ttrpc|resp -o load|get|set -p PORT [-c CONNECTIONS] "
            "[-P DEPTH] [-t SECONDS]\n"
            "               [-n KEYS] [-A TOKEN] [-F FIRST] [-X UNIX_MILLIS] [-M]\n");
    return 64;
  }
  encode_requests();
  double seconds = run();
  printf("ops=%llu seconds=%.3f rate=%.0f p50us=%.1f p99us=%.1f p999us=%.1f maxus=%.1f "
         "misses=%llu errors=%llu\n",
         (unsigned long long)answers, seconds, (double)answers / seconds,
         percentile_micros(0.5), percentile_micros(0.99), percentile_micros(0.999),
         (double)longest_nanos / 1000, (unsigned long long)misses, (unsigned long long)errors);
  return errors > 0;
}
