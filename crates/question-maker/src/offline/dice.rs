//! Chance that repeats itself: the same seed throws the same numbers on every machine.

/// SplitMix64; written out here because the stream of a library's generator may change with its
/// version, and with it every generated set.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, or 0 when there is none.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        (self.throw() % limit as u64) as usize
    }

    /// A fraction in `[0, 1)`.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.throw() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// `count` positions out of four, each about equally often, in no order that could be guessed.
    pub(super) fn positions(&mut self, count: usize) -> Vec<usize> {
        let mut positions = Vec::with_capacity(count + 3);
        while positions.len() < count {
            let mut four = [0, 1, 2, 3];
            self.shuffle(&mut four);
            positions.extend(four);
        }
        positions.truncate(count);
        self.shuffle(&mut positions);
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_numbers() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            [dice.throw(), dice.throw(), dice.throw()]
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn positions_differ_in_number_by_at_most_one() {
        for count in [1, 4, 10, 21, 100] {
            let positions = Dice::new(count as u64).positions(count);
            let tally = [0, 1, 2, 3].map(|p| positions.iter().filter(|x| **x == p).count());
            let (least, most) = (tally.iter().min(), tally.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{tally:?}");
        }
    }
}
