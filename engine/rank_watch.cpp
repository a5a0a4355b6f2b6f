#include "engine/rank_watch.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/files.h"
#include "engine/signs_of_life.h"

namespace py4cast {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int wait_ms = 10000;  // for a connection
constexpr double beat_seconds = 1;
constexpr size_t known_steps = 101;

// What is sent, between programs of one build.
struct Door {  // where rank 0 listens
  char host[256] = "";
  uint64_t token = 0;
  uint16_t port = 0;  // 0: nowhere
};
struct Hello {
  uint64_t token = 0;
  int64_t rank = 0;
  char host[256] = "";
};
struct Beat {
  int64_t arrived = 0;  // in steps and calls of the communicator
  int64_t life = 0, leaves = 0;
  bool operator==(const Beat&) const = default;
};

double seconds_since(Clock::time_point time) {
  return std::chrono::duration<double>(Clock::now() - time).count();
}

bool ready(int socket, short events) {
  pollfd wanted{socket, events, 0};
  return ::poll(&wanted, 1, wait_ms) == 1;
}

// Either all of it, or false.
template <typename T>
bool receive(int socket, T& value) {
  for (size_t have = 0; have < sizeof value;) {
    if (!ready(socket, POLLIN)) return false;
    const ssize_t count =
        ::recv(socket, reinterpret_cast<char*>(&value) + have, sizeof value - have, 0);
    if (count <= 0) return false;
    have += static_cast<size_t>(count);
  }
  return true;
}
template <typename T>
bool send(int socket, const T& value) {
  return ::send(socket, &value, sizeof value, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(sizeof value);
}

Descriptor listen_anywhere(Door& door, int connections) {
  ::gethostname(door.host, sizeof door.host - 1);
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (!listener || ::bind(listener.number(), plain, size) != 0 ||
      ::listen(listener.number(), connections) != 0 ||
      ::getsockname(listener.number(), plain, &size) != 0 ||
      ::getrandom(&door.token, sizeof door.token, 0) != sizeof door.token)
    return Descriptor();
  door.port = ntohs(address.sin_port);
  return listener;
}

// A connection within wait_ms; none if there is no way.
Descriptor connect_to(const Door& door, const std::string& own_host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  const char* host = own_host == door.host ? "127.0.0.1" : door.host;
  if (::getaddrinfo(host, std::to_string(door.port).c_str(), &hints, &found) != 0)
    return Descriptor();
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  for (const addrinfo* each = found; each; each = each->ai_next) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) continue;
    int error = 0;
    socklen_t size = sizeof error;
    if (::connect(socket.number(), each->ai_addr, each->ai_addrlen) == 0 ||
        (errno == EINPROGRESS && ready(socket.number(), POLLOUT) &&
         ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0))
      return socket;
  }
  return Descriptor();
}

}  // namespace

class RankWatch::Watch {
 public:
  Watch(Communicator& communicator, const RankWatchSettings& settings,
        std::function<void(const std::string&)> say)
      : communicator_(communicator), settings_(settings), say_(std::move(say)) {
    if (settings_.end_seconds > 0)
      settings_.warn_seconds = std::min(settings_.warn_seconds, settings_.end_seconds);
    const bool good = connect();
    if (communicator.any(!good)) {
      if (communicator.root())
        say_("ranks cannot watch each other: they do not reach rank 0 by TCP");
      return;
    }
    if (::pipe(wake_.data()) != 0)
      throw Error(ErrorKind::communication, "no pipe can be made: ", std::strerror(errno));
    const Clock::time_point now = Clock::now();
    for (Peer& peer : peers_) peer.heard = now;
    changed_ = now;
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
      throw Error(ErrorKind::communication,
                  "the thread that watches the other ranks cannot be started: ", error.what());
    }
  }
  ~Watch() {
    if (!thread_.joinable()) return;
    static_cast<void>(!::write(wake_[1], "x", 1));
    thread_.join();
    for (int end : wake_) ::close(end);
  }
  void arrived() { ++steps_; }

 private:
  struct Peer {
    int64_t rank = 0;
    std::string host;
    Descriptor socket;
    Beat beat;
    std::array<char, sizeof(Beat)> part{};  // of the next beat
    size_t have = 0;
    Clock::time_point heard;
  };

  // Rank 0 has all others as peers, they have rank 0.
  bool connect() {
    char own_host[256] = "";
    ::gethostname(own_host, sizeof own_host - 1);
    host_ = own_host;
    Door door;
    Descriptor listener;
    if (communicator_.root()) listener = listen_anywhere(door, communicator_.size());
    door = communicator_.broadcast(door);
    if (door.port == 0) return false;
    if (communicator_.root()) {
      for (int left = communicator_.size() - 1; left > 0;) {
        if (!ready(listener.number(), POLLIN)) return false;
        Descriptor socket(::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC));
        Hello hello;
        if (!socket || !receive(socket.number(), hello) || hello.token != door.token) continue;
        hello.host[sizeof hello.host - 1] = 0;
        peers_.push_back({.rank = hello.rank, .host = hello.host, .socket = std::move(socket)});
        --left;
      }
      std::sort(peers_.begin(), peers_.end(),
                [](const Peer& a, const Peer& b) { return a.rank < b.rank; });
      return true;
    }
    Hello hello{.token = door.token, .rank = communicator_.rank()};
    std::memcpy(hello.host, own_host, sizeof hello.host);
    Descriptor socket = connect_to(door, host_);
    if (!socket || !py4cast::send(socket.number(), hello)) return false;
    peers_.push_back({.rank = 0, .host = door.host, .socket = std::move(socket)});
    return true;
  }

  Beat own() const {
    return {.arrived = steps_ + signs_of_life().calls, .life = signs_of_life().work};
  }

  void run() {
    Clock::time_point told = Clock::now() - std::chrono::seconds(10);
    for (;;) {
      std::vector<pollfd> wanted{{wake_[0], POLLIN, 0}};
      for (const Peer& peer : peers_)
        if (peer.socket) wanted.push_back({peer.socket.number(), POLLIN, 0});
      ::poll(wanted.data(), wanted.size(), 200);
      if (wanted[0].revents) break;
      for (Peer& peer : peers_) listen(peer);
      if (seconds_since(told) >= beat_seconds) {
        told = Clock::now();
        for (const Peer& peer : peers_)
          if (peer.socket) py4cast::send(peer.socket.number(), own());
      }
      judge();
    }
    Beat last = own();
    last.leaves = 1;
    for (const Peer& peer : peers_)
      if (peer.socket) py4cast::send(peer.socket.number(), last);
  }

  void listen(Peer& peer) {
    while (peer.socket) {
      const ssize_t count = ::recv(peer.socket.number(), peer.part.data() + peer.have,
                                   peer.part.size() - peer.have, MSG_DONTWAIT);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (count <= 0) {
        peer.socket.close();
        if (!peer.beat.leaves)
          end(name_of(peer) + " has ended without a word: it was killed or has crashed");
        return;
      }
      peer.heard = Clock::now();
      peer.have += static_cast<size_t>(count);
      if (peer.have < peer.part.size()) continue;
      peer.have = 0;
      Beat beat;
      std::memcpy(&beat, peer.part.data(), sizeof beat);
      if (!(beat == peer.beat)) note_change();
      peer.beat = beat;
      if (beat.leaves) peer.socket.close();
    }
  }

  void note_change() {
    changed_ = Clock::now();
    warned_ = false;
  }

  // What this rank itself does, and how long its steps take.
  void note_own() {
    const Beat now = own();
    if (!(now == before_)) note_change();
    before_ = now;
    const int64_t steps = steps_, more = steps - steps_before_;
    if (more == 0) return;
    if (steps_before_ > 0)
      durations_.push_back(seconds_since(stepped_) / static_cast<double>(more));
    if (durations_.size() > known_steps) durations_.erase(durations_.begin());
    steps_before_ = steps;
    stepped_ = Clock::now();
  }
  double median_step() const {
    std::vector<double> sorted = durations_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }

  void judge() {
    note_own();
    for (const Peer& peer : peers_)
      if (peer.socket && seconds_since(peer.heard) > settings_.warn_seconds)
        return stands_still(peer.rank, name_of(peer),
                            "its process is stopped, or its machine does not answer",
                            seconds_since(peer.heard), settings_.warn_seconds);
    if (!communicator_.root()) return;
    int64_t least = before_.arrived, most = least, rank = 0;
    std::string slowest = "rank 0 on " + host_;
    for (const Peer& peer : peers_) {
      if (!peer.socket) return;
      most = std::max(most, peer.beat.arrived);
      if (peer.beat.arrived >= least) continue;
      least = peer.beat.arrived;
      rank = peer.rank;
      slowest = name_of(peer);
    }
    const double patience = durations_.empty()
                                ? std::numeric_limits<double>::infinity()
                                : std::max(settings_.warn_seconds, 20 * median_step());
    if (least == most) slowest = "no rank", rank = -1;
    stands_still(rank, slowest,
                 rank < 0 ? "all wait, but for none of them" : "the others wait for it",
                 seconds_since(changed_), patience);
  }

  // `seconds`: for how long.
  void stands_still(int64_t rank, const std::string& who, const std::string& why, double seconds,
                    double patience) {
    // Of rank 0 all others know; one speaks.
    if (!communicator_.root() && communicator_.rank() != 1) return;
    const auto words = [&](const std::string& verb) {
      return who + " " + verb + " no progress for " + std::to_string(static_cast<int>(seconds)) +
             " s: " + why;
    };
    const std::string verb = rank < 0 ? "makes" : "has made";
    if (settings_.end_seconds > 0 && seconds > settings_.end_seconds)
      end(words(verb) + "; that is longer than run.hang_timeout");
    if (seconds > patience && !std::exchange(warned_, true)) say_("warning: " + words(verb));
  }

  void end(const std::string& message) {
    communicator_.abort(message, static_cast<int>(ErrorKind::communication));
  }

  static std::string name_of(const Peer& peer) {
    return "rank " + std::to_string(peer.rank) + " on " + peer.host;
  }

  Communicator& communicator_;
  RankWatchSettings settings_;
  const std::function<void(const std::string&)> say_;
  std::string host_;
  std::vector<Peer> peers_;
  std::array<int, 2> wake_{-1, -1};
  std::atomic<int64_t> steps_ = 0;
  // Of the thread.
  Beat before_;
  int64_t steps_before_ = 0;
  std::vector<double> durations_;  // seconds of the last steps
  Clock::time_point stepped_, changed_;
  bool warned_ = false;
  std::thread thread_;
};

RankWatch::RankWatch(Communicator& communicator, const RankWatchSettings& settings,
                     std::function<void(const std::string&)> say) {
  if (communicator.size() > 1)
    watch_ = std::make_unique<Watch>(communicator, settings, std::move(say));
}

RankWatch::~RankWatch() = default;

void RankWatch::arrived() {
  if (watch_) watch_->arrived();
}

}  // namespace py4cast
