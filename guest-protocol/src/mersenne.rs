//! Arithmetic modulo the Mersenne prime 2^107 - 1.

/// How many bits the prime has.
const BITS: u32 = 107;

/// The prime 2^107 - 1.
pub(crate) const PRIME: u128 = (1 << BITS) - 1;

/// `base` to the power of `exponent`. The steps do not depend on the exponent's bits.
pub(crate) fn power(base: u128, exponent: &u128) -> u128 {
    let base = fold(base);
    let mut result = 1;
    for bit in (0..u128::BITS).rev() {
        let square = multiply(result, result);
        let product = multiply(square, base);
        // All ones if the bit is set.
        let mask = ((exponent >> bit) & 1).wrapping_neg();
        result = (product & mask) | (square & !mask);
    }
    result
}

/// The product of two numbers below 2^107.
fn multiply(left: u128, right: u128) -> u128 {
    let (low, high) = widening_multiply(left, right);
    // 2^107 is 1, so the bits from 107 on are added to those below.
    fold((low & PRIME) + ((low >> BITS) | (high << (u128::BITS - BITS))))
}

/// The lower and the upper half of a product. Both factors have at most 107 bits.
fn widening_multiply(left: u128, right: u128) -> (u128, u128) {
    const HALF: u32 = u64::BITS;
    const LOW: u128 = u64::MAX as u128;
    let low = (left & LOW) * (right & LOW);
    // Two products of 64 and 43 bits each: their sum has at most 108 bits.
    let middle = (left & LOW) * (right >> HALF) + (left >> HALF) * (right & LOW);
    let high = (left >> HALF) * (right >> HALF);
    let (low, carry) = low.overflowing_add(middle << HALF);
    (low, high + (middle >> HALF) + u128::from(carry))
}

/// The same number below the prime.
fn fold(number: u128) -> u128 {
    let number = (number & PRIME) + (number >> BITS);
    if number >= PRIME { number - PRIME } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The product by doubling and adding, which needs no more than 108 bits.
    fn slow_multiply(left: u128, right: u128) -> u128 {
        let bits = (0..BITS).rev().map(|bit| (right >> bit) & 1);
        bits.fold(0, |sum, bit| (sum * 2 % PRIME + bit * left) % PRIME)
    }

    #[test]
    fn the_prime_is_the_one_of_the_protocol() {
        assert_eq!(PRIME, 162_259_276_829_213_363_391_578_010_288_127);
        // What breaks the exchange: the order of the group has small factors alone.
        let factors = [2, 3, 107, 6361, 69431, 20_394_401, 28_059_810_762_433];
        assert_eq!(factors.iter().product::<u128>(), PRIME - 1);
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(multiply(PRIME - 1, PRIME - 1), 1);
        assert_eq!(multiply(PRIME - 1, 2), PRIME - 2);
        assert_eq!(multiply(0, PRIME - 1), 0);
        assert_eq!([PRIME, PRIME + 1, u128::MAX].map(fold), [0, 1, u128::MAX % PRIME]);
        assert_eq!(power(5, &0), 1);
        assert_eq!(power(5, &1), 5);
        // Fermat's little theorem.
        assert_eq!(power(5, &(PRIME - 1)), 1);
        assert_eq!(power(5, &u128::MAX), power(5, &(u128::MAX % (PRIME - 1))));
    }

    proptest! {
        #[test]
        fn products_are_those_of_a_slower_way(left in 0..PRIME, right in 0..PRIME) {
            prop_assert_eq!(multiply(left, right), slow_multiply(left, right));
        }

        #[test]
        fn powers_add_up(base in 2..PRIME, left in 0..u128::MAX / 2, right in 0..u128::MAX / 2) {
            let product = multiply(power(base, &left), power(base, &right));
            prop_assert_eq!(product, power(base, &(left + right)));
        }
    }
}
