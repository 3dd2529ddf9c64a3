/* Memory for the duration of a call, at the start of a line of cache.
 *
 * Each extension module keeps the last that was given back, for the next call: glibc returns the end of its heap to
 * the system, and to get it back page by page takes as long as the layers that need it (3 MB: half a millisecond and
 * more). Threads that call at once get memory of their own. With or without a global lock: the slot is exchanged.
 */
#ifndef IMPLICITPAD_WORKSPACE_H
#define IMPLICITPAD_WORKSPACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(_MSC_VER)
#include <intrin.h>
#define EXCHANGE(slot, value) _InterlockedExchangePointer(slot, value)
#else
#define EXCHANGE(slot, value) __atomic_exchange_n(slot, value, __ATOMIC_ACQ_REL)
#endif

enum { WORKSPACE_LINE = 64, KEPT_BYTES = 32 << 20 };

/* In the line before a workspace. */
typedef struct {
    size_t size;
    void *memory;
} workspace_header;

static void *kept_workspace = NULL;

static inline workspace_header *header_of(void *workspace) {
    return (workspace_header *)((char *)workspace - WORKSPACE_LINE);
}

/* Of at least `size` bytes, which hold anything; NULL if there is no memory. */
static inline char *take_workspace(size_t size) {
    char *workspace = EXCHANGE(&kept_workspace, NULL), *memory;
    if (workspace != NULL) {
        if (header_of(workspace)->size >= size)
            return workspace;
        free(header_of(workspace)->memory);
    }
    memory = malloc(size + 2 * WORKSPACE_LINE);
    if (memory == NULL)
        return NULL;
    workspace = memory + 2 * WORKSPACE_LINE - (uintptr_t)memory % WORKSPACE_LINE;
    header_of(workspace)->size = size;
    header_of(workspace)->memory = memory;
    return workspace;
}

static inline void give_workspace(char *workspace) {
    if (header_of(workspace)->size <= KEPT_BYTES)
        workspace = EXCHANGE(&kept_workspace, workspace);
    if (workspace != NULL)
        free(header_of(workspace)->memory);
}

#endif
