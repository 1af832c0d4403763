#include "base/mailbox.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

int mailbox_init(struct mailbox *mailbox)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return ERR_IO;
    atomic_init(&mailbox->top, NULL);
    mailbox->fd = fd;
    return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
    close(mailbox->fd);
    mailbox->fd = -1;
}

void mailbox_push(struct mailbox *mailbox, struct letter *letter)
{
    mailbox_push_chain(mailbox, letter, letter);
}

void mailbox_push_chain(struct mailbox *mailbox, struct letter *newest, struct letter *oldest)
{
    struct letter *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    do {
        oldest->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, newest,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (top)
        return;
    uint64_t one = 1;
    while (write(mailbox->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

struct letter *mailbox_take(struct mailbox *mailbox)
{
    /* The count is emptied before the letters are taken: a letter pushed in between wakes again. */
    uint64_t count;
    while (read(mailbox->fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
    struct letter *top = atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acq_rel);
    struct letter *first = NULL;
    while (top) {
        struct letter *next = top->next;
        top->next = first;
        first = top;
        top = next;
    }
    return first;
}

int mailbox_read(struct mailbox *mailbox)
{
    struct letter *first = mailbox_take(mailbox);
    int read_count = 0;
    while (first) {
        struct letter *letter = first;
        first = letter->next;
        letter->on_read(letter);
        read_count++;
    }
    return read_count;
}
