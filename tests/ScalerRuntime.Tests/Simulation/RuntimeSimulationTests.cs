using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.Tests.Budget;
using FuncScaler.Tests.Pool;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Simulation;

/// <summary>
/// The runtime itself in a deterministic world: the order of every start, answer, cancellation and timer comes from a seed. A failing seed is
/// replayed by running its number alone.
/// </summary>
public sealed class RuntimeSimulationTests
{
    private static readonly string[] PolicyNames = ["ttl:20", "direct", "adaptive"];

    /// <summary>Set to replay one seed, with FUNCSCALER_SCHEDULES set to 40.</summary>
    private static int FirstSeed => int.TryParse(Environment.GetEnvironmentVariable("FUNCSCALER_SEED"), out var seed) ? seed : 0;

    /// <summary>Schedules run by default; CI asks for more.</summary>
    private static int Schedules => (int)Math.Max(1, TestLength.Count("FUNCSCALER_SCHEDULES", 40 * 300, 100_000) / 40);

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Whatever_happens_no_instance_serves_too_many_requests_and_none_is_left_over(int mostConcurrency)
    {
        var (granted, rejected, undelivered, cancelled, shared) = (0, 0, 0, 0, 0);
        for (var seed = FirstSeed; seed < FirstSeed + Schedules; seed++)
        {
            try
            {
                var callers = await new World(seed, 1 + (seed % mostConcurrency)).RunAsync();
                shared += callers.Shared;
                (granted, rejected, undelivered, cancelled) =
                    (granted + callers.Granted, rejected + callers.Rejected, undelivered + callers.Undelivered, cancelled + callers.Cancelled);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}: {e.Message}", e);
            }
        }

        // A world in which nothing happens would find nothing.
        Assert.All([granted, rejected, undelivered, cancelled], count => Assert.True(count > Schedules / 10));
        Assert.Equal(mostConcurrency > 1, shared > Schedules / 10);
    }

    [Fact]
    public async Task A_seed_always_tells_the_same_story()
    {
        var (one, other) = (new World(7, 4), new World(7, 4));
        await one.RunAsync();
        await other.RunAsync();

        Assert.Equal(one.Log, other.Log);
    }

    private sealed class World
    {
        private readonly Dice _dice;
        private readonly ManualTimeProvider _time = new();
        private readonly List<Func<Task>> _started = [];
        private readonly TestBudget? _budget;
        private readonly SimulatedBackend _backend;
        private readonly ScalerRuntime _runtime;
        private readonly SimulatedCallers _callers;

        public World(int seed, int concurrency)
        {
            _dice = new Dice(seed);
            _budget = _dice.Percent(30) ? new TestBudget(_time, new RateLimit(5, TimeSpan.FromSeconds(10))) : null;
            _backend = new SimulatedBackend(_dice, _budget, Log);
            _runtime = new ScalerRuntime(
                _backend,
                PolicyCatalog.Parse(_dice.Pick(PolicyNames)),
                new ScalerRuntimeOptions
                {
                    Pool = new SlotPoolOptions { Waiting = _dice.Percent(80) },
                    ReconcileInterval = _dice.Percent(50) ? TimeSpan.FromSeconds(_dice.Between(1, 30)) : null,
                },
                _time,
                NullLogger<ScalerRuntime>.Instance,
                new Scheduling(_started.Add, TaskCreationOptions.None));
            _callers = new SimulatedCallers(() => (_runtime, "r"), _backend, _dice, Log, concurrency);
        }

        public List<string> Log { get; } = [];

        public async Task<SimulatedCallers> RunAsync()
        {
            ManualTimeProvider.Inline(() =>
            {
                for (var step = 0; step < 150; step++)
                {
                    Step();
                    _callers.Observe();
                }
            });
            Task? stopped = null;
            ManualTimeProvider.Inline(() => stopped = Settle());
            Assert.True(
                _runtime.GetInventory().Count == 0 && _callers.Waiting == 0,
                $"the runtime does not come to rest: {string.Join(", ", _runtime.GetInventory())}, {_callers.Waiting} wait, {_started.Count} to start, {_backend.PendingCount} unanswered\n{string.Join('\n', Log.TakeLast(60))}");
            await stopped!;
            Assert.Equal(0, _callers.Waiting);
            var stats = _runtime.GetStats();
            Assert.Equal((0, 0, 0), (stats.Slots.Total, stats.Slots.Busy, stats.Requests.Waiting));
            Assert.Equal((0, 0), (stats.Budget?.HeldCreates ?? 0, stats.Budget?.HeldDestroys ?? 0));
            Assert.Empty(_backend.Existing);
            await _runtime.DisposeAsync();
            return _callers;
        }

        private void Step()
        {
            switch (_dice.Next(100))
            {
                case < 25:
                    _callers.Assign();
                    break;
                case < 32:
                    _callers.Cancel();
                    break;
                case < 45:
                    _callers.Deliver(well: false);
                    break;
                case < 55:
                    _callers.Release();
                    break;
                case < 57 when _budget is not null:
                    _budget.Stopped = !_budget.Stopped;
                    break;
                case < 75 when _started.Count > 0:
                    StartOne();
                    break;
                case < 95 when _backend.PendingCount > 0:
                    _backend.AnswerOne(well: false);
                    break;
                default:
                    _time.Advance(TimeSpan.FromMilliseconds(_dice.Between(1, _dice.Percent(10) ? 40_000 : 500)));
                    break;
            }
        }

        private void StartOne()
        {
            var work = _dice.Pick(_started);
            _started.Remove(work);
            _ = work();
        }

        /// <summary>The platform recovers, callers end what they hold, and the runtime stops.</summary>
        private Task Settle()
        {
            var stopped = Task.CompletedTask;
            _budget?.Stopped = false;
            for (var round = 0; round < 3000; round++)
            {
                if (round == 1000)
                {
                    stopped = _runtime.StopAsync(keepInstances: false, CancellationToken.None);
                }

                for (var i = _started.Count; i > 0; i--)
                {
                    StartOne();
                }

                for (var i = _backend.PendingCount; i > 0; i--)
                {
                    _backend.AnswerOne(well: true);
                }

                _callers.Observe();
                _callers.Deliver(well: true);
                _callers.Release();
                _time.Advance(TimeSpan.FromMilliseconds(500));
            }

            return stopped;
        }
    }
}
