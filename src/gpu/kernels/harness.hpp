// What naga writes as Metal's language, made C++: the few types and functions that kernels use, and a program that runs
// dispatches one invocation after the other.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

typedef uint32_t uint;
typedef uint64_t ulong;

namespace metal {
using ::uint;
using ::ulong;

template <class T, int N> struct alignas(sizeof(T) * (N == 3 ? 4 : N)) vec;

#define EACH(N) for (int i = 0; i < N; i++)
template <class T, int N> struct parts;
template <class T> struct parts<T, 2> { T x, y; };
template <class T> struct parts<T, 3> { T x, y, z; };
template <class T> struct parts<T, 4> { T x, y, z, w; };

template <class T, int N> struct alignas(sizeof(T) * (N == 3 ? 4 : N)) vec : parts<T, N> {
  vec() = default;
  vec(T all) { EACH(N) at(i) = all; }
  vec(T a, T b) { at(0) = a; at(1) = b; }
  vec(T a, T b, T c) { at(0) = a; at(1) = b; at(2) = c; }
  vec(T a, T b, T c, T d) { at(0) = a; at(1) = b; at(2) = c; at(3) = d; }
  vec(vec<T, 2> a, T c, T d) : vec(a.x, a.y, c, d) {}
  vec(vec<T, 2> a, vec<T, 2> b) : vec(a.x, a.y, b.x, b.y) {}
  template <class F> explicit vec(vec<F, N> from) { EACH(N) at(i) = T(from.at(i)); }
  T &at(int i) { return i == 0 ? this->x : i == 1 ? this->y : i == 2 ? third(this) : fourth(this); }
  T &operator[](int i) { return at(i); }
 private:
  template <class V> static T &third(V *v) { if constexpr (N > 2) return v->z; else return v->x; }
  template <class V> static T &fourth(V *v) { if constexpr (N > 3) return v->w; else return v->x; }
};

#define OPERATOR(op, R)                                                                                             \
  template <class T, int N> inline vec<R, N> operator op(vec<T, N> a, vec<T, N> b) {                                \
    vec<R, N> c;                                                                                                    \
    EACH(N) c.at(i) = a.at(i) op b.at(i);                                                                           \
    return c;                                                                                                       \
  }                                                                                                                 \
  template <class T, int N> inline vec<R, N> operator op(vec<T, N> a, T b) { return a op vec<T, N>(b); }            \
  template <class T, int N> inline vec<R, N> operator op(T a, vec<T, N> b) { return vec<T, N>(a) op b; }
OPERATOR(+, T) OPERATOR(-, T) OPERATOR(*, T) OPERATOR(^, T) OPERATOR(&, T) OPERATOR(|, T)
OPERATOR(<, bool) OPERATOR(>, bool) OPERATOR(==, bool) OPERATOR(>=, bool)

template <class T, int N> inline vec<T, N> &operator+=(vec<T, N> &a, vec<T, N> b) { return a = a + b; }
template <class T, int N> inline vec<T, N> &operator-=(vec<T, N> &a, vec<T, N> b) { return a = a - b; }

typedef vec<uint, 2> uint2;
typedef vec<uint, 3> uint3;
typedef vec<uint, 4> uint4;
typedef vec<int, 2> int2;
typedef vec<int, 4> int4;
typedef vec<float, 2> float2;
typedef vec<float, 4> float4;
typedef vec<bool, 2> bool2;
typedef vec<bool, 4> bool4;

inline bool all(bool2 b) { return b.x && b.y; }
template <class T> inline T select(T no, T yes, bool which) { return which ? yes : no; }
template <class T, int N> inline vec<T, N> select(vec<T, N> no, vec<T, N> yes, vec<bool, N> which) {
  EACH(N) no.at(i) = which.at(i) ? yes.at(i) : no.at(i);
  return no;
}
inline uint clz(uint x) { return x ? __builtin_clz(x) : 32; }
inline uint ctz(uint x) { return x ? __builtin_ctz(x) : 32; }
inline float abs(float x) { return __builtin_fabsf(x); }
inline uint min(uint a, uint b) { return a < b ? a : b; }
}  // namespace metal

using metal::uint2;

template <class To, class From> inline To as_type(From from) {
  To to;
  static_assert(sizeof to == sizeof from, "as many bits");
  memcpy(&to, &from, sizeof to);
  return to;
}

// A runtime-sized array.
template <class T> struct array_of {
  T *first;
  T &operator[](uint i) const { return first[i]; }
};

#define kernel static
#define constant const
#define device
#define thread
