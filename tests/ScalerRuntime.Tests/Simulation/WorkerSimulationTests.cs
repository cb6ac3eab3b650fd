using FuncScaler.Leasing;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Soaking;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Simulation;

/// <summary>
/// The workers' runtime in a deterministic world: two workers, ledgers whose messages are late or lost, and the same callers and backend as
/// in <see cref="RuntimeSimulationTests"/>. A failing seed is replayed by running its number alone.
/// </summary>
public sealed class WorkerSimulationTests
{
    private static int FirstSeed => int.TryParse(Environment.GetEnvironmentVariable("FUNCSCALER_SEED"), out var seed) ? seed : 0;

    private static int Schedules => (int)Math.Max(1, TestLength.Count("FUNCSCALER_SCHEDULES", 40 * 60, 100_000) / 40);

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void Whatever_happens_no_instance_serves_too_many_requests_and_none_is_left_over(int mostConcurrency)
    {
        var (granted, rejected, undelivered, cancelled, shared) = (0, 0, 0, 0, 0);
        for (var seed = FirstSeed; seed < FirstSeed + Schedules; seed++)
        {
            var world = new World(seed, 1 + (seed % mostConcurrency));
            try
            {
                var callers = world.Run();
                shared += callers.Shared;
                (granted, rejected, undelivered, cancelled) =
                    (granted + callers.Granted, rejected + callers.Rejected, undelivered + callers.Undelivered, cancelled + callers.Cancelled);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}: {e.Message}\n{string.Join('\n', world.Log.Last.TakeLast(60))}", e);
            }
        }

        // A world in which nothing happens would find nothing.
        Assert.All([granted, rejected, undelivered, cancelled], count => Assert.True(count > Schedules / 20));
        Assert.Equal(mostConcurrency > 1, shared > 0);
    }

    [Fact]
    public void A_seed_always_tells_the_same_story()
    {
        var (one, other) = (new World(7, 4), new World(7, 4));
        one.Run();
        other.Run();

        Assert.Equal(one.Log.Hash, other.Log.Hash);
    }

    private sealed class World
    {
        private readonly Dice _dice;
        private readonly ManualTimeProvider _time = new();
        private readonly List<Func<Task>> _started = [];
        private readonly SimulatedBackend _backend;
        private readonly SimulatedLedgers _ledgers;
        private readonly WorkerRuntime[] _workers;
        private readonly SimulatedCallers _callers;

        public World(int seed, int concurrency)
        {
            _dice = new Dice(seed);
            _backend = new SimulatedBackend(_dice, null, Log);
            var policy = PolicyCatalog.Parse(_dice.Percent(50) ? "ttl:5" : "direct");
            // As long as the function itself asks for: this world ends before an hour has passed.
            var options = new LeasingOptions { HoldAhead = TimeSpan.Zero, Pool = new SlotPoolOptions { Waiting = _dice.Percent(80) } };
            _ledgers = new SimulatedLedgers(_backend, policy, options, _time, _dice, Log, _started.Add);
            _workers = [.. Enumerable.Range(0, 2).Select(i => new WorkerRuntime(
                new WorkerId($"w{i}-{seed}"),
                _ledgers,
                _backend,
                policy,
                options,
                new ScalerRuntimeOptions(),
                _time,
                NullLogger<WorkerRuntime>.Instance,
                new Scheduling(_started.Add, TaskCreationOptions.None)))];
            _callers = new SimulatedCallers(Pick, _backend, _dice, Log, concurrency, _ledgers.IsDead);
        }

        public SoakLog Log { get; } = new();

        public SimulatedCallers Run()
        {
            ManualTimeProvider.Inline(() =>
            {
                for (var step = 0; step < 300; step++)
                {
                    Step();
                    _callers.Observe();
                }

                Settle();
            });

            // What a worker had that was taken for dead waits for as long as a request may hold it, which is longer than this.
            Assert.True(
                _ledgers.Living.Count == 0 && _backend.Existing.All(s => _ledgers.IsUntold(s.Ticket) || _ledgers.Slots.Any(l => l.BackendSlot == s.Id)) && _callers.Waiting == 0,
                $"the workers do not come to rest: {string.Join(", ", _workers.SelectMany(w => w.GetInventory()))}, {string.Join(", ", _ledgers.Slots.Select(l => $"{l.State} of {l.Owner}"))} in ledgers, "
                + $"{_backend.Existing.Count} exist, {_callers.Waiting} wait, {_started.Count} to start");
            Assert.All(_workers, worker => Assert.Empty(worker.GetInventory()));
            return _callers;
        }

        /// <summary>A worker, and ids of its own: a late release at one worker would else mean a request at another.</summary>
        private (IScaler Scaler, string Ids) Pick() => _dice.Percent(50) ? (_workers[0], "w0r") : (_workers[1], "w1r");

        private void Step()
        {
            switch (_dice.Next(100))
            {
                case < 20:
                    _callers.Assign();
                    break;
                case < 26:
                    _callers.Cancel();
                    break;
                case < 40:
                    _callers.Deliver(well: false);
                    break;
                case < 46:
                    _callers.Release();
                    break;
                case < 62 when _started.Count > 0:
                    StartOne();
                    break;
                case < 74 when _backend.PendingCount > 0:
                    _backend.AnswerOne(well: false);
                    break;
                case < 92 when _ledgers.PendingCount > 0:
                    _ledgers.DeliverOne(well: false);
                    break;
                default:
                    _time.Advance(TimeSpan.FromMilliseconds(_dice.Between(1, _dice.Percent(5) ? 20_000 : 300)));
                    _ledgers.Wake();
                    break;
            }
        }

        private void StartOne()
        {
            var work = _dice.Pick(_started);
            _started.Remove(work);
            _ = work();
        }

        /// <summary>Everything works again, callers end what they hold, and nobody calls any more.</summary>
        private void Settle()
        {
            for (var round = 0; round < 500; round++)
            {
                for (var i = 0; i < 6 && _started.Count > 0; i++)
                {
                    StartOne();
                }

                for (var i = 0; i < 4 && _backend.PendingCount > 0; i++)
                {
                    _backend.AnswerOne(well: true);
                }

                for (var i = 0; i < 6 && _ledgers.PendingCount > 0; i++)
                {
                    _ledgers.DeliverOne(well: true);
                }

                _callers.Observe();
                _callers.Deliver(well: true);
                _callers.Release();
                _time.Advance(TimeSpan.FromMilliseconds(500));
                _ledgers.Wake();
                if (round % 100 == 99)
                {
                    _ledgers.Sweep([.. _backend.Existing.Select(s => new ListedSlot(s.Id, s.Ticket))]);
                }
            }
        }
    }
}
