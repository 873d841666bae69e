"""The faults, a function each: it is given a case with a load and does the damage; the judge comes after it."""
import signal
import time

LOAD = 20_000
RATE = 5_000


def settle(case, seconds=90):
    """Waits for what is left, ends the processes as an operator does, and tells how long recovery took."""
    took = case.wait_until_committed(seconds)
    for process in case.processes:
        process.wait_until_running()  # before that a signal just ends it
        status = process.stop()
        if status == 3 and process.may_be_fenced:
            # It learnt only now that its transaction was ended without it.
            assert "is fenced" in case.log(100), case.log()
            continue
        assert status == 0, f"a process that was asked to end at rest ended with {status}\n{case.log()}"
    return took


def wait_for(case, event, seconds=60):
    deadline = time.monotonic() + seconds
    while case.events(event) == 0:
        assert time.monotonic() < deadline, case.log()
        time.sleep(0.05)


def kill_at(point, passes):
    def fault(case):
        case.process(f"{point}:{case.random.randint(*passes)}")
        wait_for(case, "partitions_assigned")  # else few transactions may do for the whole load
        case.load(LOAD, RATE)
        took = settle(case)
        statuses = case.processes[0].statuses
        assert statuses[0] == -signal.SIGKILL, f"the fail point was not reached: {statuses}"
        return took
    return fault


def aborts(case):
    """Every few transactions one is aborted after its offsets were sent: partitions are kept, and rewound."""
    for _ in range(2):  # whichever gets the partitions
        case.process(f"abort:{case.random.randint(3, 9)}")
    wait_for(case, "partitions_assigned")  # else few transactions may do for the whole load
    case.load(LOAD, RATE)
    took = settle(case, 20 if case.bug else 90)
    assert case.events("partitions_rewound") > 2, case.log()
    return took


def kill_at_random(case):
    process = case.process()
    case.load(LOAD, RATE)
    for _ in range(3):
        time.sleep(case.random.uniform(0.5, 2.0))
        process.kill()
    return settle(case)


def term_loaded(case):
    """SIGTERM at random times under load; each time the process is to end with 0 and another one goes on."""
    case.load(LOAD, RATE)
    for _ in range(3):
        process = case.process()
        process.wait_until_running()
        time.sleep(case.random.uniform(1.5, 3.0))
        status = process.stop()
        assert status == 0, f"it ended with {status}\n{case.log()}"
    case.process()
    return settle(case)


def term_idle(case):
    process = case.process()
    case.load(200, RATE)
    case.wait_until_committed(60)
    begun = time.monotonic()
    assert process.stop() == 0, case.log()
    return time.monotonic() - begun


def term_without_brokers(case):
    """The brokers are away: the process ends in time, with 3 if something was not committed."""
    process = case.process()
    case.load(LOAD, RATE)
    time.sleep(2)
    id = next(iter(case.cluster.brokers))
    case.cluster.stop_broker(id, kill=True)
    time.sleep(0.5)
    begun = time.monotonic()
    try:
        status = process.stop()
        took = time.monotonic() - begun
        assert status in (0, 3), f"it ended with {status}\n{case.log()}"
        assert took < 30, f"it took {took:.1f} s"
    finally:
        case.cluster.start_broker(id)
    case.processes.remove(process)
    case.process()
    settle(case)
    return took


def rebalance_storm(case):
    """One process, then four, then one, each some seconds after the other."""
    case.load(2 * LOAD, RATE)
    case.process()
    for _ in range(3):
        time.sleep(case.random.uniform(0.5, 1.5))
        case.process()
    time.sleep(3)
    for process in case.processes[1:]:
        process.wait_until_running()
        status = process.stop()
        # Its last transaction may be aborted by then: others read what it has read.
        assert status == 0, f"it ended with {status}\n{case.log()}"
        time.sleep(case.random.uniform(0.2, 1.0))
    case.processes = case.processes[:1]
    return settle(case)


def kill_one_of_two(case):
    case.process()
    case.process()
    case.load(2 * LOAD, RATE)
    for process in case.processes:
        time.sleep(case.random.uniform(2, 4))
        process.kill()
    return settle(case)


def broker_away(kill):
    """One of the brokers: the only one, or one of which there are replicas."""
    def fault(case):
        case.process()
        case.load(LOAD, RATE)
        time.sleep(case.random.uniform(1, 2.5))
        id = case.random.choice(sorted(case.cluster.brokers))
        case.cluster.stop_broker(id, kill=kill)
        time.sleep(case.random.uniform(0.5, 3))
        case.cluster.start_broker(id)
        return settle(case)
    return fault


def coordinator_moved(case):
    """Of several brokers each is restarted in turn, so that every coordinator moves."""
    case.process()
    case.load(2 * LOAD, RATE)
    for id in case.cluster.brokers:
        time.sleep(1)
        case.cluster.stop_broker(id)
        time.sleep(1)
        case.cluster.start_broker(id)
    return settle(case)


def stopped_for(seconds):
    def fault(case):
        process = case.process()
        case.process()
        case.load(2 * LOAD, RATE)
        time.sleep(case.random.uniform(2, 3))
        process.may_be_fenced = case.exactly_once and seconds > case.transaction_timeout
        process.send(signal.SIGSTOP)
        time.sleep(seconds)
        process.send(signal.SIGCONT)
        return settle(case)
    return fault


def kill_before_first_commit(case):
    """With `start: latest`: what was written after it was first assigned is not skipped."""
    process = case.process("before_produce:1")
    wait_for(case, "partitions_assigned")
    time.sleep(0.5)  # for the offsets that it resolved
    case.load(LOAD, RATE)
    took = settle(case)
    assert process.statuses[0] == -signal.SIGKILL, process.statuses
    return took


def fenced(case):
    """Of two processes with the same instance the older one ends with 3 and says why; the younger goes on."""
    older = case.process(instance="twin")
    case.load(3 * LOAD, RATE)  # one that has nothing to write would not notice
    time.sleep(case.random.uniform(2, 3))
    older.wanted = False
    case.process(instance="twin")
    older.thread.join(60)
    assert older.statuses == [3], f"it ended with {older.statuses}\n{case.log()}"
    assert "fenced" in case.log(100), case.log()
    case.processes.remove(older)
    return settle(case)


def refused(case):
    """Every so often a result that its topic refuses for good, among others that it takes."""
    case.process()
    wait_for(case, "partitions_assigned")
    case.load(LOAD, RATE, refused_every=case.random.randint(1500, 4000))
    took = settle(case)
    assert case.events("record_refused") > 1, case.log()
    assert len(case.processes[0].statuses) == 1, f"it ended with {case.processes[0].statuses}\n{case.log()}"
    return took


def refused_often(case):
    """More than one of a batch, and some kills meanwhile."""
    process = case.process()
    case.load(LOAD // 4, RATE, refused_every=97)
    for _ in range(2):
        time.sleep(case.random.uniform(1, 2))
        process.kill()
    return settle(case)


def stuck_and_killed(case):
    """Killed with a batch that was read a second ago and is not delivered."""
    process = case.process(f"stuck_before_produce:{case.random.randint(2, 20)}")
    wait_for(case, "partitions_assigned")
    case.load(LOAD, RATE)
    took = settle(case)
    assert process.statuses[0] == -signal.SIGKILL, process.statuses
    return took


def late_acknowledgement(case):
    """The acknowledgement of a batch comes when its records are read again for a result that was refused."""
    case.process("late_acknowledgement:1")
    wait_for(case, "partitions_assigned")
    case.write_one_partition(1)
    case.wait_for_outputs(1)
    case.write_one_partition(40, refused=20)
    took = settle(case)
    assert case.events("partitions_rewound") > 0, case.log()
    return took


class Row:
    """`bug`: what is planted into the processes; the judge is to find `finds`, a regular expression."""

    def __init__(self, name, fault, guarantees=("exactly_once", "at_least_once"), brokers=1, seeds=3, protocols=("classic",),
                 quick=0, start="earliest", options=None, bug=None, finds=None):
        self.name, self.fault, self.guarantees, self.brokers = name, fault, guarantees, brokers
        self.seeds, self.protocols, self.quick, self.start = seeds, protocols, quick, start
        self.options, self.bug, self.finds = options or {}, bug, finds


def planted(bug, fault, guarantee, finds):
    return Row(f"planted-{bug.replace('_', '-')}", fault, (guarantee,), seeds=1, quick=1, bug=bug, finds=finds)


BOTH = ("classic", "consumer")
ALL = (*BOTH, "classic-static", "consumer-static")
EXACTLY = ("exactly_once",)
AT_LEAST = ("at_least_once",)
# A broker that starts again aborts the transactions whose time is over before its partitions have a leader, and then writes
# no markers for them (README.md): where there are no replicas, the time-out must be longer than the restart.
PATIENT = {"transaction.timeout.ms": "60000"}

# `quick`: seeds that .ci/run gives it.
ROWS = [
    Row("kill-before-produce", kill_at("before_produce", (1, 60)), seeds=20, protocols=ALL),
    Row("kill-after-produce", kill_at("after_produce", (1, 60)), seeds=20, protocols=ALL),
    Row("kill-after-offsets", kill_at("after_offsets", (1, 12)), EXACTLY, seeds=20, protocols=ALL, quick=1),
    Row("kill-inside-commit", kill_at("inside_commit", (1, 8)), seeds=20, protocols=ALL),
    Row("kill-random", kill_at_random, protocols=ALL),
    Row("kill-one-of-two", kill_one_of_two, protocols=ALL),
    Row("kill-before-first-commit", kill_before_first_commit, start="latest", protocols=BOTH),
    Row("term-idle", term_idle, protocols=BOTH),
    Row("term-loaded", term_loaded, protocols=BOTH, quick=1),
    Row("term-without-brokers", term_without_brokers, protocols=BOTH, options=PATIENT),
    Row("rebalance-storm", rebalance_storm, protocols=BOTH, quick=1),
    Row("only-broker-stopped", broker_away(kill=False), options=PATIENT),
    Row("only-broker-killed", broker_away(kill=True), quick=1, options=PATIENT),
    Row("broker-stopped", broker_away(kill=False), brokers=3),
    Row("broker-killed", broker_away(kill=True), brokers=3),
    Row("coordinator-moved", coordinator_moved, brokers=3),
    Row("aborted-transactions", aborts, EXACTLY, protocols=BOTH, quick=1),
    Row("fenced", fenced, EXACTLY),
    Row("stopped-past-session", stopped_for(4.5), protocols=BOTH),
    Row("stopped-past-transaction", stopped_for(12)),
    Row("refused-record", refused, protocols=BOTH, quick=1),
    Row("refused-often", refused_often),
    Row("stuck-and-killed", stuck_and_killed),
    Row("late-acknowledgement", late_acknowledgement, AT_LEAST, seeds=1),
    # The judge notices what it is there for. Each of these faults is judged without the bug as well.
    planted("early_produce", aborts, "exactly_once", "results are doubled"),
    planted("no_rewind", aborts, "exactly_once", "results are missing"),
    planted("letter_outside_transaction", aborts, "exactly_once", "dead letters are doubled"),
    planted("commit_before_acknowledgement", stuck_and_killed, "at_least_once", "results are missing"),
    planted("old_epoch_accepted", late_acknowledgement, "at_least_once", "results are missing"),
]
