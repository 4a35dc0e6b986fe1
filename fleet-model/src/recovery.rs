//! From which states others can be reached.

/// The steps between states, by their indices, in the order of where they begin.
#[derive(Default)]
pub(crate) struct Edges {
    ends: Vec<(u32, u32)>,
}

impl Edges {
    pub(crate) fn add(&mut self, from: u32, to: u32) {
        if from != to {
            self.ends.push((from, to));
        }
    }

    /// The states from which a marked one can be reached, the marked ones among them.
    pub(crate) fn reach(&self, mut marked: Vec<bool>) -> Vec<bool> {
        let mut offsets = vec![0_usize; marked.len() + 1];
        for (_, to) in &self.ends {
            offsets[*to as usize + 1] += 1;
        }
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut free = offsets.clone();
        let mut before = vec![0_u32; self.ends.len()];
        for (from, to) in &self.ends {
            before[free[*to as usize]] = *from;
            free[*to as usize] += 1;
        }
        let mut waiting: Vec<usize> = (0..marked.len()).filter(|at| marked[*at]).collect();
        while let Some(at) = waiting.pop() {
            for from in &before[offsets[at]..offsets[at + 1]] {
                let from = *from as usize;
                if !marked[from] {
                    marked[from] = true;
                    waiting.push(from);
                }
            }
        }
        marked
    }
}
