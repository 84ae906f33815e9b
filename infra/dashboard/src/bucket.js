// Count, sum, minimum and maximum of the samples in a span. Merging is associative and commutative.

/** The bucket of no samples. */
export const EMPTY = Object.freeze({ count: 0, sum: 0, min: Infinity, max: -Infinity });

/** The bucket of one sample. */
export function bucketOf(value) {
  return { count: 1, sum: value, min: value, max: value };
}

/** The bucket of the samples of both. */
export function merge(one, other) {
  if (one.count === 0) return other;
  if (other.count === 0) return one;
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    min: Math.min(one.min, other.min),
    max: Math.max(one.max, other.max),
  };
}

/** The average; null without samples. */
export function average(bucket) {
  return bucket.count === 0 ? null : bucket.sum / bucket.count;
}
