// SPDX-License-Identifier: MIT
#include "base/bucket.h"

#include "base/clock.h"

void sp_bucket_init(struct sp_bucket *bucket,
                    int64_t most,
                    int64_t a_second,
                    uint64_t now)
{
    *bucket = (struct sp_bucket){most, a_second, most, now};
}

// What is less than one unit stays in the time.
static void fill(struct sp_bucket *bucket, uint64_t now)
{
    if (now <= bucket->at) {
        return;
    }
    double came = (double)(now - bucket->at) * (double)bucket->a_second / SP_NS_PER_S;
    if (came >= (double)(bucket->most - bucket->level)) {
        bucket->level = bucket->most;
        bucket->at = now;
    } else if (came >= 1) {
        int64_t whole = (int64_t)came;
        bucket->level += whole;
        bucket->at +=
            (uint64_t)((double)whole * SP_NS_PER_S / (double)bucket->a_second);
    }
}

bool sp_bucket_take(struct sp_bucket *bucket, int64_t amount, uint64_t now)
{
    fill(bucket, now);
    bool there = bucket->level >= amount;
    bucket->level -= there ? amount : 0;
    return there;
}

uint64_t sp_bucket_spend(struct sp_bucket *bucket, int64_t amount, uint64_t now)
{
    fill(bucket, now);
    bucket->level -= amount;
    if (bucket->level >= 0) {
        return 0;
    }
    return (uint64_t)((double)-bucket->level * SP_NS_PER_S / (double)bucket->a_second);
}
