// SPDX-License-Identifier: MIT
// A doubly linked list whose links live in the items. No lock: the owner of the list is
// the owner of its links.
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct sp_link {
    struct sp_link *previous;
    struct sp_link *next;
};

// The struct that holds `link` as its member.
#define SP_ENTRY(link, type, member) \
    ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void sp_list_init(struct sp_link *list)
{
    list->previous = list;
    list->next = list;
}

static inline bool sp_list_empty(const struct sp_link *list)
{
    return list->next == list;
}

// True while the link is in a list. A link that was never in one must be zeroed or
// inited.
static inline bool sp_link_used(const struct sp_link *link)
{
    return link->next != NULL && link->next != link;
}

static inline void sp_list_append(struct sp_link *list, struct sp_link *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

static inline void sp_list_prepend(struct sp_link *list, struct sp_link *link)
{
    sp_list_append(list->next, link);
}

static inline void sp_list_remove(struct sp_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = NULL;
    link->next = NULL;
}

// The first link, removed; NULL when the list is empty.
static inline struct sp_link *sp_list_take(struct sp_link *list)
{
    struct sp_link *first = list->next;
    if (first == list) {
        return NULL;
    }
    sp_list_remove(first);
    return first;
}

#endif
