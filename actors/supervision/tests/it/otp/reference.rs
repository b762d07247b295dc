//! The rules of OTP's `supervisor` in the plainest form: restarts take no time, and one thing happens after
//! the other. Two rules are this crate's own: a child that has ended is not brought back by a restart of
//! its siblings, and one that fails while it starts has fallen under its own supervisor.

use vyrox_supervision::{Restart, Strategy};

/// A supervisor and what is under it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: u32,
    pub(crate) period_ms: u64,
    pub(crate) restart: Restart,
    pub(crate) children: Vec<Shape>,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Worker(Restart),
    Supervisor(Plan),
}

pub(crate) struct Reference {
    nodes: Vec<Node>,
    /// Positions in `nodes`, in the order of the plan.
    workers: Vec<usize>,
    supervisors: Vec<usize>,
    /// The workers' numbers in the order of their starts.
    pub(crate) starts: Vec<usize>,
    /// The same of their ends.
    pub(crate) ends: Vec<usize>,
}

struct Node {
    parent: Option<usize>,
    restart: Restart,
    up: bool,
    gone: bool,
    /// Starts that are still to fail.
    fails: u32,
    number: usize,
    rule: Option<Rule>,
    restarts: u64,
}

struct Rule {
    strategy: Strategy,
    intensity: u32,
    period_ms: u64,
    falls: Vec<u64>,
    children: Vec<usize>,
}

impl Reference {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut reference = Self {
            nodes: Vec::new(),
            workers: Vec::new(),
            supervisors: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
        };
        reference.build(plan, None);
        for worker in reference.workers.clone() {
            reference.nodes[worker].up = true;
            reference.starts.push(reference.nodes[worker].number);
        }
        reference
    }

    pub(crate) fn crash(&mut self, worker: usize, now_ms: u64) {
        self.exit(worker, Restart::Temporary, now_ms);
    }

    pub(crate) fn leave(&mut self, worker: usize, now_ms: u64) {
        self.exit(worker, Restart::Transient, now_ms);
    }

    /// Somebody stops it in order, whatever its kind.
    pub(crate) fn stop(&mut self, worker: usize, now_ms: u64) {
        let node = self.workers[worker];
        self.end(node);
        self.nodes[node].gone = true;
        self.start_all(0, now_ms);
    }

    pub(crate) fn fail_to_start(&mut self, worker: usize, times: u32) {
        let node = self.workers[worker];
        self.nodes[node].fails = times;
    }

    pub(crate) fn is_up(&self, worker: usize) -> bool {
        self.nodes[self.workers[worker]].up
    }

    /// Whether it has given up, and how often it was restarted.
    pub(crate) fn supervisor(&self, which: usize) -> (bool, u64) {
        let node = &self.nodes[self.supervisors[which]];
        (node.gone, node.restarts)
    }

    fn build(&mut self, plan: &Plan, parent: Option<usize>) -> usize {
        let rule = Rule {
            strategy: plan.strategy,
            intensity: plan.intensity,
            period_ms: plan.period_ms,
            falls: Vec::new(),
            children: Vec::new(),
        };
        let me = self.enter(parent, plan.restart, Some(rule));
        self.supervisors.push(me);
        for shape in &plan.children {
            let child = match shape {
                Shape::Supervisor(plan) => self.build(plan, Some(me)),
                Shape::Worker(restart) => {
                    let child = self.enter(Some(me), *restart, None);
                    self.nodes[child].number = self.workers.len();
                    self.workers.push(child);
                    child
                }
            };
            self.rule(me).children.push(child);
        }
        me
    }

    fn enter(&mut self, parent: Option<usize>, restart: Restart, rule: Option<Rule>) -> usize {
        let (up, gone, fails, number, restarts) = (rule.is_some(), false, 0, 0, 0);
        self.nodes.push(Node {
            parent,
            restart,
            up,
            gone,
            fails,
            number,
            rule,
            restarts,
        });
        self.nodes.len() - 1
    }

    /// A worker ends; one whose restart type is `final_for` or weaker does not come back.
    fn exit(&mut self, worker: usize, final_for: Restart, now_ms: u64) {
        let Some(&node) = self.workers.get(worker) else {
            return;
        };
        if !self.nodes[node].up {
            return;
        }
        self.end(node);
        let stays_away = match final_for {
            Restart::Transient => self.nodes[node].restart != Restart::Permanent,
            _ => self.nodes[node].restart == Restart::Temporary,
        };
        if stays_away {
            self.nodes[node].gone = true;
        } else {
            self.fell(node, now_ms);
        }
        self.start_all(0, now_ms);
    }

    /// Judges a fall; leaves down whoever has to be started.
    fn fell(&mut self, child: usize, now_ms: u64) {
        let parent = self.nodes[child].parent.unwrap();
        let rule = self.rule(parent);
        rule.falls.push(now_ms);
        let since = now_ms.saturating_sub(rule.period_ms);
        rule.falls.retain(|at| *at >= since);
        if rule.falls.len() <= rule.intensity as usize {
            let all = rule.children.clone();
            let place = all.iter().position(|other| *other == child).unwrap();
            match rule.strategy {
                Strategy::OneForOne => {}
                Strategy::OneForAll => {
                    all.iter().rev().for_each(|other| self.terminate(*other));
                }
                Strategy::RestForOne => {
                    all[place..]
                        .iter()
                        .rev()
                        .for_each(|other| self.terminate(*other));
                }
            }
            return;
        }
        self.terminate(parent);
        if self.nodes[parent].parent.is_some() && self.nodes[parent].restart == Restart::Permanent {
            self.fell(parent, now_ms);
        } else {
            self.bury(parent);
        }
    }

    /// Takes down a child and all under it. Temporary ones are gone for good.
    fn terminate(&mut self, node: usize) {
        for child in self.children(node).into_iter().rev() {
            self.terminate(child);
        }
        if let Some(rule) = &mut self.nodes[node].rule {
            rule.falls.clear();
        }
        self.end(node);
        if self.nodes[node].restart == Restart::Temporary {
            self.bury(node);
        }
    }

    fn end(&mut self, node: usize) {
        let was_up = std::mem::replace(&mut self.nodes[node].up, false);
        if was_up && self.nodes[node].rule.is_none() {
            self.ends.push(self.nodes[node].number);
        }
    }

    fn bury(&mut self, node: usize) {
        for child in self.children(node) {
            self.bury(child);
        }
        (self.nodes[node].up, self.nodes[node].gone) = (false, true);
    }

    /// Starts what is down, in order, until nothing is; a failing start is judged at once.
    fn start_all(&mut self, top: usize, now_ms: u64) {
        while let Some(next) = self.first_down(top) {
            self.nodes[next].up = true;
            if self.nodes[next].rule.is_some() {
                self.nodes[next].restarts += 1;
                continue;
            }
            self.starts.push(self.nodes[next].number);
            if self.nodes[next].fails > 0 {
                self.nodes[next].fails -= 1;
                self.end(next);
                if self.nodes[next].restart == Restart::Temporary {
                    self.nodes[next].gone = true;
                } else {
                    self.fell(next, now_ms);
                }
            }
        }
    }

    fn first_down(&self, node: usize) -> Option<usize> {
        if self.nodes[node].gone {
            return None;
        }
        if !self.nodes[node].up {
            return Some(node);
        }
        self.children(node)
            .into_iter()
            .find_map(|child| self.first_down(child))
    }

    fn children(&self, node: usize) -> Vec<usize> {
        let rule = self.nodes[node].rule.as_ref();
        rule.map_or_else(Vec::new, |rule| rule.children.clone())
    }

    fn rule(&mut self, node: usize) -> &mut Rule {
        self.nodes[node].rule.as_mut().unwrap()
    }
}
