"""The harness must be able to fail: planted faults are found, and none where there is none."""

import asyncio
import random

import histories
from rounds import Rounds
from simulation import FAULTS, SimulatedServer
from verification import Verifier

ROUNDS_WITHOUT_FAULT = 12
# What a crash takes back is seen only where a read was at the heels of a write.
MAX_ROUNDS_WITH_FAULT = 150
ROUND_SECONDS = 0.35


async def run(seed, fault, rounds):
    """Returns the contradictions of the first round that has any, and how many rounds it took."""
    rng = random.Random(seed)
    holder = [SimulatedServer(rng, fault)]

    async def connect():
        return holder[0]

    driver = Rounds(rng, connect, connections=6)
    verifier = Verifier(slack_ms=100)
    for number in range(1, rounds + 1):
        await driver.begin_load()
        await asyncio.sleep(ROUND_SECONDS * (0.5 + rng.random()))
        holder[0] = holder[0].crash()
        in_flight = await driver.end_load()
        await driver.audit()
        report = verifier.check(*driver.take(), in_flight)
        if report.contradictions or report.lost:
            return report.contradictions or [f"{report.lost} lost"], number
        if report.unchecked:
            return [f"{report.unchecked} keys were too complex to check"], number
    return [], rounds


def main(seed, names=None):
    failures = histories.main()
    for fault in [None, *FAULTS]:
        if names and fault not in names:
            continue
        limit = MAX_ROUNDS_WITH_FAULT if fault else ROUNDS_WITHOUT_FAULT
        found, rounds = asyncio.run(run(seed, fault, limit))
        passed = bool(found) == bool(fault)
        failures += not passed
        verdict = f"found in round {rounds}" if found else f"nothing found in {rounds} rounds"
        print(f"{'pass' if passed else 'FAIL'}  {fault or 'a server without a fault'}: {verdict}")
        for line in found[:3 if not passed else 1]:
            print(f"      {line[:300]}")
    print(f"{len(histories.HISTORIES) + len(names or FAULTS) + (not names)} self tests, "
          f"{failures} failures")
    return 1 if failures else 0
