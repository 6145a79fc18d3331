// Kernels for mindspore.ops.Custom(func_type="aot") that MindSpore's CPU backend has no fast equal of. All are float32.
//
// Every entry point has the signature that MindSpore asks for: parameters (inputs first, then outputs), their ranks,
// shapes and dtypes, a stream and an extra, both unused on CPU. The result is 0, or an error code that MindSpore raises
// on. Settings are the last input, a small constant float32 tensor. What a loop computes for a range is a function of
// its own, compiled for several instruction sets (SPECIALIZED) and chosen when the library is loaded.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define HAS_CLONES
#define SPECIALIZED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SPECIALIZED
#endif
#define INLINE static inline __attribute__((always_inline))

namespace {

int threads_allowed() {
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  const int number = wanted != nullptr ? std::atoi(wanted) : 0;
  return number > 0 ? number : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Threads that sleep until there is work and take its parts one by one, as the caller does. Whoever is on a core gets
// on: the caller waits for parts that a thread has begun, never for a thread that has not woken up. OpenMP's threads
// wait by spinning instead, which costs milliseconds where others (MindSpore's own threads) want the same cores.
class Pool {
 public:
  using Part = void (*)(const void* work, int64_t part);

  static Pool& instance() {
    static Pool* const pool = new Pool;  // never destroyed: its threads outlive static objects
    return *pool;
  }

  int size() const { return size_; }

  void run(int64_t parts, Part part, const void* work) {
    std::unique_lock<std::mutex> alone(turn_, std::try_to_lock);
    if (!alone.owns_lock()) {
      for (int64_t i = 0; i < parts; ++i) part(work, i);
      return;
    }
    {
      std::lock_guard<std::mutex> guard(mutex_);
      part_ = part;
      work_ = work;
      parts_ = parts;
      next_.store(0);
      ++number_;
    }
    wake_.notify_all();
    take();
    for (int i = 0; i < kSpins && inside_.load() != 0; ++i) std::this_thread::yield();
    std::unique_lock<std::mutex> guard(mutex_);
    parts_ = 0;
    done_.wait(guard, [this] { return inside_.load() == 0; });
  }

 private:
  static constexpr int kSpins = 100;

  Pool() : size_(threads_allowed()) {
    for (int i = 1; i < size_; ++i) std::thread([this] { serve(); }).detach();
  }

  void take() {
    for (int64_t i = next_.fetch_add(1); i < parts_; i = next_.fetch_add(1)) part_(work_, i);
  }

  void serve() {
    int64_t seen = 0;
    std::unique_lock<std::mutex> guard(mutex_);
    for (;;) {
      wake_.wait(guard, [&] { return number_ != seen; });
      seen = number_;
      if (next_.load() >= parts_) continue;
      inside_.fetch_add(1);
      guard.unlock();
      take();
      guard.lock();
      if (inside_.fetch_sub(1) == 1) done_.notify_one();
    }
  }

  const int size_;
  std::mutex turn_, mutex_;
  std::condition_variable wake_, done_;
  int64_t number_ = 0;
  Part part_ = nullptr;
  const void* work_ = nullptr;
  std::atomic<int64_t> parts_{0}, next_{0};
  std::atomic<int> inside_{0};
};

constexpr int64_t kWorthWaking = 1 << 15;  // operations that take about as long as waking a thread

// Calls work(first, last) for parts of [0, count), one of which stands for `weight` operations.
template <typename Work>
void in_parallel(int64_t count, int64_t weight, const Work& work) {
  Pool& pool = Pool::instance();
  const int64_t parts = std::min(count, std::min<int64_t>(4 * pool.size(), count * weight / kWorthWaking));
  if (pool.size() == 1 || parts < 2) {
    work(0, count);
    return;
  }
  const auto one = [&](int64_t i) { work(count * i / parts, count * (i + 1) / parts); };
  pool.run(parts, [](const void* body, int64_t i) { (*static_cast<decltype(one)*>(body))(i); }, &one);
}

int64_t product(const int64_t* shape, int first, int last) {
  int64_t result = 1;
  for (int i = first; i < last; ++i) result *= shape[i];
  return result;
}

// 2 to the power of x; below -126 it is 2^-126, which stands for 0 here.
INLINE float power_of_2(float x) {
  x = std::min(std::max(x, -126.0f), 127.0f);
  const float whole = __builtin_rintf(x);
  const float part = x - whole;
  // The Taylor series of 2^part, |part| <= 1/2: the first term left out is below 1e-8.
  float value = 1.52527338e-5f;
  value = value * part + 1.54035304e-4f;
  value = value * part + 1.33335581e-3f;
  value = value * part + 9.61812911e-3f;
  value = value * part + 5.55041087e-2f;
  value = value * part + 2.40226507e-1f;
  value = value * part + 6.93147181e-1f;
  value = value * part + 1.0f;
  const int32_t exponent = (static_cast<int32_t>(whole) + 127) << 23;
  float scale;
  std::memcpy(&scale, &exponent, sizeof scale);
  return value * scale;
}

constexpr float kLog2e = 1.44269504f;

// x times the normal distribution's share below x. The share below -t is 2^-p(t); p was fitted on [0, 6] so that
// neither the share nor t times it is off by more than 4e-9, and goes on growing beyond.
INLINE float gelu_of(float x) {
  const float t = std::fabs(x);
  float p = 5.61060315e-08f;
  p = p * t - 1.38689114e-06f;
  p = p * t + 1.51887011e-05f;
  p = p * t - 9.44540272e-05f;
  p = p * t + 3.23800156e-04f;
  p = p * t - 6.27080958e-05f;
  p = p * t - 6.89740722e-03f;
  p = p * t + 5.24217795e-02f;
  p = p * t + 4.59223796e-01f;
  p = p * t + 1.15110413e+00f;
  p = p * t + 1.0f;
  const float tail = power_of_2(-p);
  return x * (x < 0 ? tail : 1.0f - tail);
}

INLINE float silu_of(float x) { return x / (1.0f + power_of_2(-kLog2e * x)); }

SPECIALIZED void gelu_range(const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = gelu_of(x[i]);
}

SPECIALIZED void silu_range(const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = silu_of(x[i]);
}

SPECIALIZED void gated_range(const float* x, float* y, int64_t count) {
  const float* gate = x + count;
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * gelu_of(gate[i]);
}

// Sums of pieces short enough for float32, added up in float64: as exact as the data, at the speed of float32.
constexpr int64_t kPiece = 1024;

SPECIALIZED double sum(const float* x, int64_t count) {
  double total = 0;
  for (int64_t first = 0; first < count; first += kPiece) {
    const int64_t length = std::min(kPiece, count - first);
    float piece = 0;
#pragma omp simd reduction(+ : piece)
    for (int64_t i = 0; i < length; ++i) piece += x[first + i];
    total += piece;
  }
  return total;
}

SPECIALIZED double squares(const float* x, int64_t count, float mean) {
  double total = 0;
  for (int64_t first = 0; first < count; first += kPiece) {
    const int64_t length = std::min(kPiece, count - first);
    float piece = 0;
#pragma omp simd reduction(+ : piece)
    for (int64_t i = 0; i < length; ++i) {
      const float deviation = x[first + i] - mean;
      piece += deviation * deviation;
    }
    total += piece;
  }
  return total;
}

SPECIALIZED void add_range(const float* x, const float* y, float* out, int64_t count, float bias) {
  for (int64_t i = 0; i < count; ++i) out[i] = x[i] + y[i] + bias;
}

SPECIALIZED void add_rows(const float* x, const float* y, const float* bias, float* out, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < width; ++i) out[row * width + i] = x[row * width + i] + y[row * width + i] + bias[i];
}

SPECIALIZED void affine_range(const float* x, float* y, int64_t count, float mean, float scale, float shift) {
  for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * scale + shift;
}

SPECIALIZED void affine_silu_range(const float* x, float* y, int64_t count, float mean, float scale, float shift) {
  for (int64_t i = 0; i < count; ++i) y[i] = silu_of((x[i] - mean) * scale + shift);
}

SPECIALIZED void row_range(const float* x, float* y, int64_t count, float mean, float scale, const float* weight,
                           const float* bias) {
  for (int64_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

// Attention goes through tiles of kRows queries and blocks of kBlock keys. Keys and values are laid out in panels of
// kLanes columns first; the rows of a tile and a panel make a product that stays in registers.
constexpr int64_t kLanes = 16, kRows = 12, kBlock = 256;

// kLanes floats in one register of AVX-512, or in two of AVX2. GCC keeps vectors that are too long in memory.
typedef float Wide __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Narrow __attribute__((vector_size(kLanes / 2 * sizeof(float))));

// Whether the clone that runs has registers for Wide.
bool has_wide_registers() {
#ifdef HAS_CLONES
  static const bool found = __builtin_cpu_supports("x86-64-v4");
  return found;
#else
  return false;
#endif
}

// c (kCount, kLanes) = or += a (kCount, depth) times the panel b (depth, kLanes); the sums stay in registers
template <typename Vector, int64_t kCount>
INLINE void product_in_registers(const float* a, int64_t a_step, const float* b, int64_t depth, float* c, int64_t c_step,
                                 bool add) {
  typedef Vector Anywhere __attribute__((aligned(sizeof(float))));
  constexpr int64_t kWidth = sizeof(Vector) / sizeof(float), kParts = kLanes / kWidth;
  Vector sums[kCount][kParts];
#pragma GCC unroll 16
  for (int64_t row = 0; row < kCount; ++row)
#pragma GCC unroll 2
    for (int64_t part = 0; part < kParts; ++part) sums[row][part] = Vector{};
  for (int64_t i = 0; i < depth; ++i) {
    Vector column[kParts];
#pragma GCC unroll 2
    for (int64_t part = 0; part < kParts; ++part)
      column[part] = *reinterpret_cast<const Anywhere*>(b + i * kLanes + part * kWidth);
#pragma GCC unroll 16
    for (int64_t row = 0; row < kCount; ++row)
#pragma GCC unroll 2
      for (int64_t part = 0; part < kParts; ++part) sums[row][part] += a[row * a_step + i] * column[part];
  }
#pragma GCC unroll 16
  for (int64_t row = 0; row < kCount; ++row)
#pragma GCC unroll 2
    for (int64_t part = 0; part < kParts; ++part) {
      Anywhere& place = *reinterpret_cast<Anywhere*>(c + row * c_step + part * kWidth);
      place = add ? place + sums[row][part] : sums[row][part];
    }
}

constexpr int64_t kNarrowRows = 6;  // kLanes of so many rows, and a column, fit the 16 registers of AVX2

// c (kRows, kLanes) = or += a (kRows, depth) times the panel b (depth, kLanes)
INLINE void panel_product(const float* a, int64_t a_step, const float* b, int64_t depth, float* c, int64_t c_step,
                          bool add) {
  static_assert(kRows % kNarrowRows == 0);
  if (has_wide_registers()) {
    product_in_registers<Wide, kRows>(a, a_step, b, depth, c, c_step, add);
    return;
  }
  for (int64_t row = 0; row < kRows; row += kNarrowRows)
    product_in_registers<Narrow, kNarrowRows>(a + row * a_step, a_step, b, depth, c + row * c_step, c_step, add);
}

struct Attention {
  const float *query, *keys, *values;  // keys (panels, width, kLanes), values (panels, rounded keys, kLanes)
  float* out;
  int64_t key_count, width, step;  // step: from one row of query and out to the next
  float scale;

  int64_t key_panels() const { return (key_count + kLanes - 1) / kLanes; }
  int64_t value_panels() const { return (width + kLanes - 1) / kLanes; }
};

// Softmax along the keys needs their largest score; it is kept block by block, and what has been summed up under a
// smaller one is scaled down when a larger one turns up.
SPECIALIZED void attend_tile(const Attention& a, int64_t first, int64_t rows, float* space) {
  const int64_t padded = a.value_panels() * kLanes, panels = a.key_panels(), block_panels = kBlock / kLanes;
  float *query = space, *scores = query + kRows * a.width, *sums = scores + kRows * kBlock;
  float largest[kRows], total[kRows];
  for (int64_t row = 0; row < kRows; ++row) {
    const float* from = a.query + (first + std::min(row, rows - 1)) * a.step;
    for (int64_t i = 0; i < a.width; ++i) query[row * a.width + i] = from[i] * a.scale;
    largest[row] = -1e30f;
    total[row] = 0;
  }
  for (int64_t i = 0; i < kRows * padded; ++i) sums[i] = 0;
  for (int64_t panel = 0; panel < panels; panel += block_panels) {
    const int64_t here = std::min(block_panels, panels - panel), length = here * kLanes;
    for (int64_t i = 0; i < here; ++i)
      panel_product(query, a.width, a.keys + (panel + i) * a.width * kLanes, a.width, scores + i * kLanes, kBlock, false);
    for (int64_t row = 0; row < kRows; ++row) {
      float* score = scores + row * kBlock;
      for (int64_t i = a.key_count - panel * kLanes; i < length; ++i) score[i] = -1e30f;
      float peak = largest[row];
#pragma omp simd reduction(max : peak)
      for (int64_t i = 0; i < length; ++i) peak = std::max(peak, score[i]);
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < length; ++i) {
        score[i] = power_of_2(score[i] - peak);
        sum += score[i];
      }
      if (peak > largest[row]) {
        const float smaller = power_of_2(largest[row] - peak);
        total[row] *= smaller;
        for (int64_t i = 0; i < padded; ++i) sums[row * padded + i] *= smaller;
        largest[row] = peak;
      }
      total[row] += sum;
    }
    const int64_t all = panels * kLanes;
    for (int64_t i = 0; i < a.value_panels(); ++i)
      panel_product(scores, kBlock, a.values + (i * all + panel * kLanes) * kLanes, length, sums + i * kLanes, padded, true);
  }
  for (int64_t row = 0; row < rows; ++row) {
    float* to = a.out + (first + row) * a.step;
    for (int64_t i = 0; i < a.width; ++i) to[i] = sums[row * padded + i] / total[row];
  }
}

// Panels of kLanes keys, each (width, kLanes); keys that fill the last one up are zero.
void lay_out_keys(const float* from, int64_t count, int64_t width, int64_t step, float* to) {
  for (int64_t panel = 0; panel * kLanes < count; ++panel)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t key = panel * kLanes + lane;
      float* place = to + panel * width * kLanes + lane;
      for (int64_t i = 0; i < width; ++i) place[i * kLanes] = key < count ? from[key * step + i] : 0;
    }
}

// Panels of kLanes columns of the values, each (keys rounded up, kLanes), filled up with zeros.
void lay_out_values(const float* from, int64_t count, int64_t width, int64_t step, float* to) {
  const int64_t all = (count + kLanes - 1) / kLanes * kLanes;
  for (int64_t panel = 0; panel * kLanes < width; ++panel)
    for (int64_t key = 0; key < all; ++key)
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const int64_t i = panel * kLanes + lane;
        to[(panel * all + key) * kLanes + lane] = key < count && i < width ? from[key * step + i] : 0;
      }
}

// Products with int8 weights (outs, depth). The places, which are the rows of a matrix or the pixels of an image, are
// laid out in panels of kLanes for kDepth numbers at a time; a tile of kOuts rows of the weight is widened into a small
// buffer and multiplied with all panels of a block of kPlaces. So a weight is widened once for kPlaces places, and no
// float copy of it exists.
constexpr int64_t kOuts = kRows, kDepth = 384, kPlaces = 256;

struct Quantized {
  const float* x;  // (places, depth), or images (channels, height, width)
  const int8_t* weight;
  const float *scale, *bias;  // bias is null for none
  float* y;                   // (places, outs), or images (outs, places)
  int64_t outs, depth, places;
  bool image;
  int64_t height, width, out_width, kernel_height, kernel_width, step_down, step_right, top, left, apart_down, apart_right;
  const int64_t* shifts;  // how far the number of each index of the depth lies from that of the first, in an image
};

// Panels (depth, kLanes) of rows; rows that fill the last panel up are those of the first place.
INLINE void lay_out_rows(const Quantized& q, int64_t first, int64_t places, int64_t from, int64_t depth, float* to) {
  for (int64_t start = 0; start < places; start += kLanes, to += depth * kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t place = first + (start + lane < places ? start + lane : 0);
      const float* row = q.x + place * q.depth + from;
      for (int64_t i = 0; i < depth; ++i) to[i * kLanes + lane] = row[i];
    }
}

// Panels of pixels of padded images. The numbers of a pixel are those that its kernel covers: channel, row, column.
INLINE void lay_out_pixels(const Quantized& q, int64_t first, int64_t places, int64_t from, int64_t depth, float* to) {
  constexpr int64_t kRun = kLanes / 2;
  for (int64_t start = 0; start < places; start += kLanes, to += depth * kLanes) {
    int64_t offsets[kLanes];
    bool runs = true;  // whether each half of the panel's pixels lies in a row
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t place = first + (start + lane < places ? start + lane : 0);
      offsets[lane] = place / q.out_width * q.step_down * q.width + place % q.out_width * q.step_right;
      runs = runs && offsets[lane] == offsets[lane / kRun * kRun] + lane % kRun;
    }
    for (int64_t i = 0; i < depth; ++i) {
      const float* pixels = q.x + q.shifts[from + i];
      float* row = to + i * kLanes;
      if (runs) {
        std::memcpy(row, pixels + offsets[0], kRun * sizeof *row);
        std::memcpy(row + kRun, pixels + offsets[kRun], kRun * sizeof *row);
      } else {
        for (int64_t lane = 0; lane < kLanes; ++lane) row[lane] = pixels[offsets[lane]];
      }
    }
  }
}

int64_t rounded_up(int64_t number, int64_t unit) { return (number + unit - 1) / unit * unit; }

int64_t floats_for(int64_t places, int64_t outs) {
  const int64_t all = rounded_up(places, kLanes);
  return kDepth * all + kOuts * kDepth + rounded_up(outs, kOuts) * all;
}

// The outs from first_out on, for the places from first on.
SPECIALIZED void multiply_block(const Quantized& q, int64_t first, int64_t places, int64_t first_out, int64_t outs,
                                float* space) {
  const int64_t all = rounded_up(places, kLanes);
  float *panels = space, *tile = panels + kDepth * all, *sums = tile + kOuts * kDepth;
  const int64_t chunks = (q.depth + kDepth - 1) / kDepth;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t from = q.depth * chunk / chunks, depth = q.depth * (chunk + 1) / chunks - from;
    if (q.image)
      lay_out_pixels(q, first, places, from, depth, panels);
    else
      lay_out_rows(q, first, places, from, depth, panels);
    for (int64_t out = 0; out < outs; out += kOuts) {
      for (int64_t row = 0; row < kOuts; ++row) {
        const int8_t* weight = q.weight + (first_out + std::min(out + row, outs - 1)) * q.depth + from;
        for (int64_t i = 0; i < depth; ++i) tile[row * kDepth + i] = weight[i];
      }
      for (int64_t start = 0; start < all; start += kLanes)
        panel_product(tile, kDepth, panels + start * depth, depth, sums + out * all + start, all, chunk > 0);
    }
  }
  if (q.image) {
    for (int64_t out = 0; out < outs; ++out) {
      const float scale = q.scale[first_out + out], bias = q.bias == nullptr ? 0 : q.bias[first_out + out];
      float* y = q.y + (first_out + out) * q.places + first;
      for (int64_t i = 0; i < places; ++i) y[i] = sums[out * all + i] * scale + bias;
    }
    return;
  }
  for (int64_t i = 0; i < places; ++i) {
    float* y = q.y + (first + i) * q.outs + first_out;
    const float* scale = q.scale + first_out;
    if (q.bias == nullptr)
      for (int64_t out = 0; out < outs; ++out) y[out] = sums[out * all + i] * scale[out];
    else
      for (int64_t out = 0; out < outs; ++out) y[out] = sums[out * all + i] * scale[out] + q.bias[first_out + out];
  }
}

// For a few rows: each out is a sum of its own.
SPECIALIZED void multiply_rows(const Quantized& q, int64_t first_out, int64_t last_out) {
  for (int64_t out = first_out; out < last_out; ++out)
    for (int64_t place = 0; place < q.places; ++place) {
      const float* x = q.x + place * q.depth;
      const int8_t* weight = q.weight + out * q.depth;
      float total = 0;
#pragma omp simd reduction(+ : total)
      for (int64_t i = 0; i < q.depth; ++i) total += x[i] * weight[i];
      q.y[place * q.outs + out] = total * q.scale[out] + (q.bias == nullptr ? 0 : q.bias[out]);
    }
}

constexpr int64_t kFewRows = 4, kFewPlaces = 64;

// image_size: from one image of x to the next
int multiply(const Quantized& q, int64_t images, int64_t image_size) {
  if (!q.image && q.places <= kFewRows) {
    in_parallel(q.outs, q.places * q.depth / 8 + 1, [&](int64_t a, int64_t b) { multiply_rows(q, a, b); });
    return 0;
  }
  const int64_t wanted = 4 * Pool::instance().size();
  // More blocks widen the weights more often; more groups lay the places out more often, which takes longer.
  const int64_t at_least = (q.places + kPlaces - 1) / kPlaces, at_most = std::max(at_least, q.places / kFewPlaces);
  const int64_t blocks = std::min(std::max(at_least, (wanted + images - 1) / images), at_most);
  const int64_t size = rounded_up((q.places + blocks - 1) / blocks, kLanes);
  const int64_t most = std::max<int64_t>(1, q.outs / (4 * kOuts));
  const int64_t groups = std::min(most, std::max<int64_t>(1, (wanted + blocks * images - 1) / (blocks * images)));
  const int64_t share = rounded_up((q.outs + groups - 1) / groups, kOuts);
  std::atomic<bool> failed{false};
  in_parallel(images * blocks * groups, size * share * q.depth / 16, [&](int64_t a, int64_t b) {
    const std::unique_ptr<float[]> space(new (std::nothrow) float[floats_for(size, share)]);
    if (space == nullptr) failed = true;
    for (int64_t i = a; i < b && space != nullptr; ++i) {
      const int64_t first_out = i % groups * share, first = i / groups % blocks * size, image = i / (groups * blocks);
      if (first_out >= q.outs || first >= q.places) continue;
      Quantized here = q;
      here.x += image * image_size;
      here.y += image * q.outs * q.places;
      multiply_block(here, first, std::min(size, q.places - first), first_out, std::min(share, q.outs - first_out), space.get());
    }
  });
  return failed ? 1 : 0;
}

int multiply_images(Quantized q, int64_t images) {
  const int64_t kernel = q.kernel_height * q.kernel_width, channels = q.depth / kernel;
  const int64_t height = q.height + 2 * q.top, width = q.width + 2 * q.left, plane = height * width;
  const bool padded = q.top + q.left > 0;
  const std::unique_ptr<int64_t[]> shifts(new (std::nothrow) int64_t[q.depth]);
  const std::unique_ptr<float[]> values(padded ? new (std::nothrow) float[images * channels * plane]() : nullptr);
  if (shifts == nullptr || (padded && values == nullptr)) return 1;
  for (int64_t i = 0; i < q.depth; ++i) {
    const int64_t down = i % kernel / q.kernel_width * q.apart_down, right = i % q.kernel_width * q.apart_right;
    shifts[i] = i / kernel * plane + down * width + right;
  }
  if (padded) {
    in_parallel(images * channels, q.height * q.width, [&](int64_t a, int64_t b) {
      for (int64_t row = a * q.height; row < b * q.height; ++row) {
        float* to = values.get() + row / q.height * plane + (row % q.height + q.top) * width + q.left;
        std::memcpy(to, q.x + row * q.width, q.width * sizeof *to);
      }
    });
    q.x = values.get();
    q.height = height;
    q.width = width;
  }
  q.shifts = shifts.get();
  return multiply(q, images, channels * plane);
}

}  // namespace

#define ENTRY(name)                                                                                              \
  extern "C" __attribute__((visibility("default"))) int name([[maybe_unused]] int count, void** parameters,     \
                                                             [[maybe_unused]] int* ranks, int64_t** shapes,     \
                                                             const char**, void*, void*)

#ifndef BUILT_FROM
#define BUILT_FROM 0
#endif
extern "C" __attribute__((visibility("default"))) const uint32_t built_from = BUILT_FROM;  // the checksum of this file

#define FLOATS(i) static_cast<float*>(parameters[i])

// (x) -> y
ENTRY(gelu) {
  const float* x = FLOATS(0);
  float* y = FLOATS(1);
  in_parallel(product(shapes[0], 0, ranks[0]), 1, [=](int64_t a, int64_t b) { gelu_range(x + a, y + a, b - a); });
  return 0;
}

// (x) -> y
ENTRY(silu) {
  const float* x = FLOATS(0);
  float* y = FLOATS(1);
  in_parallel(product(shapes[0], 0, ranks[0]), 1, [=](int64_t a, int64_t b) { silu_range(x + a, y + a, b - a); });
  return 0;
}

// (x of 2n in the last dimension) -> the first n times gelu of the others
ENTRY(geglu) {
  const float* x = FLOATS(0);
  float* y = FLOATS(1);
  const int64_t rows = product(shapes[0], 0, ranks[0] - 1), half = shapes[0][ranks[0] - 1] / 2;
  in_parallel(rows, half, [=](int64_t a, int64_t b) {
    for (int64_t row = a; row < b; ++row) gated_range(x + 2 * half * row, y + half * row, half);
  });
  return 0;
}

// (x (N, C, ...), shift (N, C) or of another shape for none, weight (C), bias (C), (eps) for each group, twice for silu
// afterwards) -> normalization of x + shift, mean (N, groups), 1/deviation
ENTRY(group_norm) {
  const float *x = FLOATS(0), *weight = FLOATS(2), *bias = FLOATS(3), *settings = FLOATS(4);
  float *y = FLOATS(5), *means = FLOATS(6), *rates = FLOATS(7);
  const int64_t batch = shapes[0][0], channels = shapes[0][1], groups = shapes[4][0];
  const bool shifted = ranks[1] == 2 && shapes[1][0] == batch && shapes[1][1] == channels;
  const float* shift = shifted ? FLOATS(1) : nullptr;
  const int64_t places = product(shapes[0], 2, ranks[0]), share = channels / groups, size = share * places;
  const double eps = settings[0];
  const auto apply = shapes[4][1] == 2 ? affine_silu_range : affine_range;
  in_parallel(batch * groups, 2 * size, [=](int64_t a, int64_t b) {
    for (int64_t group = a; group < b; ++group) {
      const float* from = x + group * size;
      const float* shifts = shifted ? shift + group * share : nullptr;
      double total = shifted ? 0 : sum(from, size), deviations = 0;
      for (int64_t i = 0; shifted && i < share; ++i)
        total += sum(from + i * places, places) + static_cast<double>(shifts[i]) * places;
      const float mean = static_cast<float>(total / size);
      if (!shifted) deviations = squares(from, size, mean);
      for (int64_t i = 0; shifted && i < share; ++i) deviations += squares(from + i * places, places, mean - shifts[i]);
      const float rate = static_cast<float>(1 / std::sqrt(deviations / size + eps));
      means[group] = mean;
      rates[group] = rate;
      for (int64_t i = 0; i < share; ++i) {
        const int64_t channel = group % groups * share + i, place = group * size + i * places;
        const float center = shifted ? mean - shifts[i] : mean;
        apply(x + place, y + place, places, center, rate * weight[channel], bias[channel]);
      }
    }
  });
  return 0;
}

// (x (N, C, ...), y likewise, bias (C)) -> x + y + bias
ENTRY(add_with_bias) {
  const float *x = FLOATS(0), *y = FLOATS(1), *bias = FLOATS(2);
  float* out = FLOATS(3);
  const int64_t channels = shapes[0][1], places = product(shapes[0], 2, ranks[0]);
  if (places == 1) {
    in_parallel(shapes[0][0], channels, [=](int64_t a, int64_t b) {
      add_rows(x + a * channels, y + a * channels, bias, out + a * channels, b - a, channels);
    });
    return 0;
  }
  in_parallel(shapes[0][0] * channels, places, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) add_range(x + i * places, y + i * places, out + i * places, places, bias[i % channels]);
  });
  return 0;
}

// (x, weight, bias, [eps]) -> y, each row's mean and variance + eps (what LayerNormGrad takes); a row is as long as
// weight
ENTRY(layer_norm) {
  const float *x = FLOATS(0), *weight = FLOATS(1), *bias = FLOATS(2);
  float *y = FLOATS(4), *means = FLOATS(5), *variances = FLOATS(6);
  const int64_t width = product(shapes[1], 0, ranks[1]), rows = product(shapes[0], 0, ranks[0] - ranks[1]);
  const double eps = FLOATS(3)[0];
  in_parallel(rows, width, [=](int64_t a, int64_t b) {
    for (int64_t row = a; row < b; ++row) {
      const float* from = x + row * width;
      const float mean = static_cast<float>(sum(from, width) / width);
      const double variance = squares(from, width, mean) / width + eps;
      means[row] = mean;
      variances[row] = static_cast<float>(variance);
      row_range(from, y + row * width, width, mean, static_cast<float>(1 / std::sqrt(variance)), weight, bias);
    }
  });
  return 0;
}

// (query (N, queries, heads * width), key (N, keys, heads * width), value likewise, (scale) for each head)
// -> (N, queries, heads * width)
ENTRY(attention) {
  const float *query = FLOATS(0), *key = FLOATS(1), *value = FLOATS(2);
  float* out = FLOATS(4);
  const int64_t batch = shapes[0][0], queries = shapes[0][1], step = shapes[0][2], keys = shapes[1][1];
  const int64_t heads = shapes[3][0], width = step / heads;
  const Attention one{nullptr, nullptr, nullptr, nullptr, keys, width, step, FLOATS(3)[0] * kLog2e};
  const int64_t keys_size = one.key_panels() * kLanes * width;
  const int64_t values_size = one.value_panels() * kLanes * one.key_panels() * kLanes, size = keys_size + values_size;
  const std::unique_ptr<float[]> panels(new (std::nothrow) float[batch * heads * size]);
  if (panels == nullptr) return 1;
  in_parallel(batch * heads, 2 * size, [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const int64_t offset = i / heads * keys * step + i % heads * width;
      lay_out_keys(key + offset, keys, width, step, panels.get() + i * size);
      lay_out_values(value + offset, keys, width, step, panels.get() + i * size + keys_size);
    }
  });
  const int64_t tiles = (queries + kRows - 1) / kRows;
  in_parallel(batch * heads * tiles, kRows * keys * (width / 8 + 4), [&](int64_t a, int64_t b) {
    const std::unique_ptr<float[]> space(new float[kRows * (width + kBlock + one.value_panels() * kLanes)]);
    for (int64_t i = a; i < b; ++i) {
      const int64_t head = i / tiles, first = i % tiles * kRows;
      const int64_t offset = head / heads * queries * step + head % heads * width;
      Attention here = one;
      here.query = query + offset;
      here.out = out + offset;
      here.keys = panels.get() + head * size;
      here.values = here.keys + keys_size;
      attend_tile(here, first, std::min(kRows, queries - first), space.get());
    }
  });
  return 0;
}

// (x (..., depth), weight int8 (outs, depth), scale (outs), bias (outs), or a matrix for none) -> (..., outs)
ENTRY(quantized_linear) {
  Quantized q{};
  q.x = FLOATS(0);
  q.weight = static_cast<const int8_t*>(parameters[1]);
  q.scale = FLOATS(2);
  q.outs = shapes[1][0];
  q.depth = shapes[1][1];
  q.bias = ranks[3] == 1 ? FLOATS(3) : nullptr;
  q.y = FLOATS(4);
  q.places = product(shapes[0], 0, ranks[0] - 1);
  return multiply(q, 1, 0);
}

// (x (N, C, H, W), weight int8 (outs, C, height, width), scale (outs), bias as above, a tensor of the shape (strides,
// paddings + 1, dilations; each for height and width)) -> (N, outs, ...)
ENTRY(quantized_conv2d) {
  Quantized q{};
  q.image = true;
  q.x = FLOATS(0);
  q.weight = static_cast<const int8_t*>(parameters[1]);
  q.scale = FLOATS(2);
  q.outs = shapes[1][0];
  q.depth = product(shapes[1], 1, 4);
  q.bias = ranks[3] == 1 ? FLOATS(3) : nullptr;
  q.y = FLOATS(5);
  q.height = shapes[0][2];
  q.width = shapes[0][3];
  q.places = shapes[5][2] * shapes[5][3];
  q.out_width = shapes[5][3];
  q.kernel_height = shapes[1][2];
  q.kernel_width = shapes[1][3];
  const int64_t* geometry = shapes[4];
  q.step_down = geometry[0];
  q.step_right = geometry[1];
  q.top = geometry[2] - 1;
  q.left = geometry[3] - 1;
  q.apart_down = geometry[4];
  q.apart_right = geometry[5];
  const bool plain = q.kernel_height * q.kernel_width == 1 && q.step_down * q.step_right == 1 && q.top + q.left == 0;
  if (plain) {  // every pixel by itself: as if the image had one row
    q.width = q.out_width = q.places;
    q.height = 1;
  }
  return multiply_images(q, shapes[0][0]);
}
