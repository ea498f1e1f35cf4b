/* poison.h - tells AddressSanitizer which bytes of a pool are nobody's. Pools of our own would
 * otherwise hide a use after free from it. Nothing in other builds. */
#ifndef TERN_BASE_POISON_H
#define TERN_BASE_POISON_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TERN_POISON 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TERN_POISON 1
#endif

#ifdef TERN_POISON
#include <sanitizer/asan_interface.h>
static inline void poison(void *p, size_t size) { __asan_poison_memory_region(p, size); }
static inline void unpoison(void *p, size_t size) { __asan_unpoison_memory_region(p, size); }
#else
static inline void poison(void *p, size_t size) { (void)p, (void)size; }
static inline void unpoison(void *p, size_t size) { (void)p, (void)size; }
#endif

#endif
