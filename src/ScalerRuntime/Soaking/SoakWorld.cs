using System.Globalization;
using FuncScaler.Policies;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.State;
using FuncScaler.SlotBackends.Budget;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Runtime.Soaking;

/// <summary>A rule that a world leaves out, so that a test sees the promise broken that the rule keeps.</summary>
internal enum LeftOut
{
    /// <summary>None: everything is as it is in earnest.</summary>
    Nothing,

    /// <summary>The backend says that it has destroyed slots, and has not.</summary>
    Destroys,

    /// <summary>The store does not keep what is about to be created.</summary>
    Intents,

    /// <summary>The marks of who holds what say that nobody holds anything.</summary>
    Holders,

    /// <summary>Answers are not given.</summary>
    Answers,

    /// <summary>The backend never answers a destruction.</summary>
    DestroyAnswers,

    /// <summary>More memory is promised on a node than it has.</summary>
    NodeMemory,

    /// <summary>A call for a node or a container whose answer was lost is taken to have done nothing.</summary>
    LostAnswers,
}

/// <summary>
/// A whole scaler in a deterministic world: the runtime, its executor and the contract's service, a backend with its budget, callers, and the
/// state that outlives a kill. Which task goes on at each moment, what fails and when the process ends comes from a seed.
/// </summary>
/// <remarks>
/// Everything runs on one thread. Whatever code waits for is in the world's hands: the answers of the backend, timers, the turn of work that leaves
/// the executor's lock, the answers to callers, and the commits of the state.
/// </remarks>
internal sealed class SoakWorld : IDisposable
{
    private const int Steps = 150;
    private const long NodesDraw = 0x6E6F646573;

    /// <summary>A slot takes more calls where each of an adapter's own is one.</summary>
    private const int AdapterSteps = 500;

    private const int MostCrashes = 3;
    private const int FewMarks = 4;
    private const int ManyMarks = 1024;

    private static readonly string[] PolicyNames = ["ttl:20", "direct", "adaptive"];

    private readonly LeftOut _leftOut;
    private readonly Dice _dice;
    private readonly SoakClock _clock = new();
    private readonly List<Func<Task>> _started = [];
    private readonly List<Action> _answers = [];
    private readonly SimulatedBudget? _budget;
    private readonly SimulatedPlatform _backend;
    private readonly int _steps;
    private readonly SimulatedCallers _callers;
    private readonly PolicyChoice _policy;
    private readonly bool _waiting;
    private readonly TimeSpan? _reconcileInterval;
    private readonly FunctionLimits? _limits;
    private readonly SoakDisk? _disk;
    private readonly int _marks;
    private ScalerRuntime _runtime;
    private DurableState? _state;
    private SimulatedStore? _store;
    private bool _saving;
    private int _crashes;

    /// <param name="seed">Decides everything.</param>
    /// <param name="log">What happens is told there.</param>
    /// <param name="on">What the scaler stands on; null for what the seed says.</param>
    /// <param name="leftOut">The rule that does not hold.</param>
    public SoakWorld(long seed, SoakLog log, SoakBackend? on = null, LeftOut leftOut = LeftOut.Nothing)
    {
        _leftOut = leftOut;
        Log = log;
        _dice = new Dice(seed);

        // Its own, so that a further setting leaves the other worlds as they are.
        var world = new Dice(~seed);
        var concurrency = world.Percent(50) ? 1 : (int)world.Between(2, 8);
        _budget = world.Percent(30) ? new SimulatedBudget(_clock, new RateLimit(5, TimeSpan.FromSeconds(10))) : null;
        var lists = world.Percent(80);
        var (names, unruly) = (world.Percent(50) || !lists, world.Percent(70));
        var policy = world.Pick(PolicyNames);
        _policy = PolicyCatalog.Parse(policy);
        _waiting = world.Percent(80);
        _reconcileInterval = world.Percent(50) ? TimeSpan.FromSeconds(world.Between(1, 30)) : null;
        _limits = world.Percent(15) ? new FunctionLimits { MinInstances = world.Next(3), MaxInstances = 3 } : null;

        // A draw of its own: seeds mean the same otherwise as before there were nodes.
        on ??= new Dice(seed ^ NodesDraw).Percent(2) ? SoakBackend.Nodes : null;

        // Nodes cannot be listed, so that a scaler on them keeps no state and has nothing to take over after a kill.
        _disk = on == SoakBackend.Nodes ? null : leftOut is LeftOut.Intents or LeftOut.Holders || world.Percent(75) ? new SoakDisk(_dice, log, real: world.Percent(2)) : null;
        _marks = world.Percent(80) ? ManyMarks : FewMarks;
        var kind = world.Percent(2) ? SoakBackend.Aci : SoakBackend.Simulator;
        _backend = (on ?? kind) switch
        {
            SoakBackend.Aci => new SimulatedAzure(_dice, world, _clock, log) { Unruly = unruly, KeepsDestroyed = leftOut == LeftOut.Destroys },
            SoakBackend.Nodes => new SimulatedNodes(_dice, world, _clock, log, _started.Add)
            {
                Unruly = unruly,
                KeepsDestroyed = leftOut == LeftOut.Destroys,
                OverCommits = leftOut == LeftOut.NodeMemory,
                ForgetsLostAnswers = leftOut == LeftOut.LostAnswers,
            },
            _ => new SimulatedBackend(_dice, _budget, log)
            {
                Lists = lists,
                NamesSlots = names,
                Unruly = unruly && lists,
                KeepsSilent = leftOut == LeftOut.DestroyAnswers,
                KeepsDestroyed = leftOut == LeftOut.Destroys,
            },
        };
        _steps = _backend is SimulatedBackend ? Steps : AdapterSteps;
        _callers = new SimulatedCallers(() => (_runtime!, "r"), _backend, _dice, log, concurrency);
        log.Add(string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {policy}, {concurrency} at a time, {(_disk is null ? "no state" : "a state")}{_backend switch { SimulatedAzure => ", on container instances", SimulatedNodes => ", on nodes", _ => "" }}"));
        _runtime = Begin();
    }

    public SoakLog Log { get; }

    public SimulatedCallers Callers => _callers;

    /// <summary>Runs the world to its end.</summary>
    /// <exception cref="SoakException">A promise was broken.</exception>
    public void Run()
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            for (var step = 0; step < _steps; step++)
            {
                Step();
                Check();
            }

            Settle();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    public void Dispose()
    {
        _state?.Drop();
        _disk?.Dispose();
    }

    private ScalerRuntime Begin()
    {
        if (_disk is not null)
        {
            _store = new SimulatedStore(_disk.Open(), _dice, Log, _disk.Saved, Meanwhile)
            {
                HasRoom = !_backend.Lists,
                ForgetsIntents = _leftOut == LeftOut.Intents,
            };
            _state = new DurableState(_store, _disk.MarksPath, _clock, NullLogger.Instance, _marks, stepped: true);
        }

        var runtime = new ScalerRuntime(
            _backend.Begin(),
            _policy,
            new ScalerRuntimeOptions
            {
                Pool = _backend.Limits.Apply(new SlotPoolOptions { Waiting = _waiting, InstancePrefix = string.Create(CultureInfo.InvariantCulture, $"i{_crashes}-") }),
                ReconcileInterval = _backend.Limits.ReconcileInterval ?? _reconcileInterval,
                State = _state,
                Measured = false,
            },
            _clock,
            NullLogger<ScalerRuntime>.Instance,
            new Scheduling(_started.Add, TaskCreationOptions.None, _answers.Add));
        if (_limits is not null)
        {
            runtime.SetOtherLimits(_limits);
        }

        if (_backend.Limits.SweepsFirst)
        {
            _ = runtime.ReconcileAsync(CancellationToken.None);
        }

        return runtime;
    }

    private void Step()
    {
        switch (_dice.Next(1000))
        {
            case < 220:
                _callers.Assign();
                break;
            case < 270:
                _callers.Cancel();
                break;
            case < 380:
                _callers.Deliver(well: false);
                break;
            case < 470:
                _callers.Release();
                break;
            case < 475:
                _callers.Vanish();
                break;
            case < 490 when _budget is not null:
                _budget.Stopped = !_budget.Stopped;
                Log.Faults[(int)SoakFault.Storm] += _budget.Stopped ? 1 : 0;
                break;
            case < 495:
                _backend.Storm = !_backend.Storm;
                Log.Faults[(int)SoakFault.Storm] += _backend.Storm ? 1 : 0;
                break;
            case < 498 when _backend.Unruly:
                _backend.LoseOne();
                break;
            case < 501:
                JumpWall();
                break;
            case < 505:
                Log.Count(SoakFault.Stall);
                _clock.Skip(TimeSpan.FromMilliseconds(_dice.Between(100, 20_000)));
                _runtime.HoldCreates(TimeSpan.FromMilliseconds(_dice.Between(1, 200)));
                break;
            case < 515 when _disk is not null && !_saving && _crashes < MostCrashes:
                Log.Count(SoakFault.Kill);
                Restart();
                break;
            case < 620 when _answers.Count > 0:
                AnswerOne();
                break;
            case < 720 when _started.Count > 0:
                StartOne();
                break;
            case < 860 when _backend.PendingCount > 0:
                _backend.AnswerOne(well: false);
                break;
            case < 950 when _state is not null && !_saving:
                Save();
                break;
            default:
                _clock.Advance(TimeSpan.FromMilliseconds(_dice.Between(1, _dice.Percent(10) ? 40_000 : 500)));
                break;
        }
    }

    private void Check()
    {
        _callers.Observe();
        _runtime.CheckInvariants();
        (_backend as SimulatedNodes)?.Check();
    }

    /// <summary>What other threads do while one saves a batch.</summary>
    private void Meanwhile()
    {
        for (var i = _dice.Percent(50) ? _dice.Next(6) : 0; i > 0; i--)
        {
            Step();
            Check();
        }
    }

    private void Save()
    {
        _saving = true;
        try
        {
            _state!.Step(learned: _dice.Percent(30));
        }
        catch (KilledWhileSavingException)
        {
            Restart();
        }
        finally
        {
            _saving = false;
        }
    }

    /// <summary>The process ends wherever its tasks are, and another one begins with what was saved.</summary>
    private void Restart()
    {
        var powerCut = _dice.Percent(30);
        Log.Add(powerCut ? "power cut" : "kill");
        if (powerCut)
        {
            Log.Count(SoakFault.PowerCut);
        }

        _crashes++;
        _started.Clear();
        _answers.Clear();
        _clock.DropTimers();
        _callers.ScalerEnded();
        _backend.CallerEnded();
        _state!.Drop();
        _disk!.Crash(_saving, powerCut, forgetHolders: _leftOut == LeftOut.Holders);
        _clock.Skip(TimeSpan.FromMilliseconds(_dice.Between(0, 5000)));
        if (_dice.Percent(10))
        {
            JumpWall();
        }

        _saving = false;
        _runtime = Begin();
        _callers.ScalerBegan(_runtime, _state!.FormerSlots, _state.KnowsHolder);
    }

    private void JumpWall()
    {
        Log.Count(SoakFault.ClockJump);
        _clock.WallOffset = TimeSpan.FromSeconds(_dice.Between(-600, 600));
        Log.Add($"the wall clock is {_clock.WallOffset} off");
    }

    private void StartOne()
    {
        var work = _dice.Pick(_started);
        _started.Remove(work);
        _ = work();
    }

    private void AnswerOne()
    {
        var answer = _dice.Pick(_answers);
        _answers.Remove(answer);
        if (_leftOut != LeftOut.Answers)
        {
            answer();
        }
    }

    /// <summary>The platform and the disk recover, callers end what they hold, and the runtime stops. Then nothing is left anywhere.</summary>
    private void Settle()
    {
        Log.Add("settle");
        _budget?.Stopped = false;
        _store?.Well = true;
        _backend.Recover();
        Rounds(_backend is SimulatedBackend ? 200 : 2000, () => _callers is { Waiting: 0, Holding: 0 } && NothingUnderWay);

        // What nobody ends is ended by the assignment's limit, here after the machine has slept.
        _clock.Skip(TimeSpan.FromSeconds((2 * SimulatedCallers.TimeoutSeconds) + 100));
        Rounds(100, () => _callers.Waiting == 0 && NothingUnderWay);
        var stopped = _runtime.StopAsync(keepInstances: false, CancellationToken.None);
        var reconciled = _runtime.ReconcileAsync(CancellationToken.None);
        Rounds(2000, () => IsAtRest(stopped, reconciled));
        SoakException.Unless(_callers.Waiting == 0, () => $"{_callers.Waiting} callers have no answer");
        SoakException.Unless(
            IsAtRest(stopped, reconciled),
            () => $"the runtime does not come to rest: it has {string.Join(", ", _runtime.GetInventory())}; {_started.Count} to start, {_backend.PendingCount} calls under way, stopped: {stopped.Status}, compared: {reconciled.Status}");
        if (_backend is not SimulatedNodes)
        {
            NothingIsLeft();
        }

        var stats = _runtime.GetStats();
        SoakException.Unless(
            (stats.Slots.Total, stats.Slots.Busy, stats.Requests.Waiting, stats.Budget?.HeldCreates ?? 0, stats.Budget?.HeldDestroys ?? 0) == (0, 0, 0, 0, 0),
            () => $"when all has ended the books still have {stats.Slots}, {stats.Requests.Waiting} waiting requests and {stats.Budget} held calls");
        SoakException.Unless(_runtime.WaitingAnswers == 0, () => $"{_runtime.WaitingAnswers} answers are owed to nobody");
        if (_disk is not null)
        {
            _state!.Step(learned: true);
            var saved = _store!.Load();
            SoakException.Unless(saved.Slots.Count == 0, () => $"when all has ended the state still has {string.Join(", ", saved.Slots)}");
        }

        (_backend as SimulatedNodes)?.CheckAtRest();
        (_backend as SimulatedNodes)?.AnswersAtOnce = true;
        _runtime.DisposeAsync().AsTask().GetAwaiter().GetResult();

        // Nodes are given back at the latest when the backend is disposed.
        NothingIsLeft();
    }

    private void NothingIsLeft() => SoakException.Unless(_backend.Left.Count == 0, () => $"left on the platform: {string.Join(", ", _backend.Left)}");

    /// <summary>Lets everything go well, until nothing is left to be done.</summary>
    private void Rounds(int most, Func<bool> done)
    {
        for (var round = 0; round < most && (round < 3 || !done()); round++)
        {
            for (var i = _started.Count; i > 0; i--)
            {
                StartOne();
            }

            for (var i = _answers.Count; i > 0; i--)
            {
                AnswerOne();
            }

            for (var i = _backend.PendingCount; i > 0; i--)
            {
                _backend.AnswerOne(well: true);
            }

            _state?.Step(learned: false);
            _callers.Observe();
            _callers.Deliver(well: true);
            _callers.Release();
            _clock.Advance(TimeSpan.FromMilliseconds(500));
        }
    }

    private bool NothingUnderWay => _backend.PendingCount == 0 && _started.Count == 0 && _answers.Count == 0;

    /// <remarks>The end of the stop is told on another thread, after the last slot has gone.</remarks>
    private bool IsAtRest(Task stopped, Task reconciled) =>
        reconciled.IsCompleted && _callers.Waiting == 0 && NothingUnderWay && _runtime.GetInventory().Count == 0 && (stopped.IsCompleted || stopped.Wait(TimeSpan.FromSeconds(10)));
}
