using System.Collections.Concurrent;
using FuncScaler.Learned;
using FuncScaler.Runtime.Execution;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.State;

/// <summary>
/// Keeps a runtime's slots, assignments and knowledge in a <see cref="IStateStore"/>, in batches and off the path of requests; and says which of
/// them were there when the process began.
/// </summary>
/// <remarks>
/// <para>
/// What the backend is asked for waits until its slot is saved: a creation until its ticket is, an init until the backend's id is. So a slot
/// that may exist always stands in the store. Everything else is saved within <see cref="Interval"/>; what was learned, within
/// <see cref="LearnedInterval"/>. Who holds an instance at each moment is in <see cref="HolderMarks"/>.
/// </para>
/// <para>
/// Where the store fails, as on a full disk, the scaler goes on without it and says so; all that was to be saved is tried again each second.
/// </para>
/// </remarks>
public sealed partial class DurableState : ISlotJournal, ILearnedMemory, IDisposable
{
    /// <summary>How long a change that nothing waits for may be unsaved.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>How long what was learned may be unsaved, where up to <see cref="MostLearnedAtOnce"/> functions are called in that time.</summary>
    public static readonly TimeSpan LearnedInterval = TimeSpan.FromSeconds(1);

    /// <summary>The most functions whose knowledge is saved in one interval; the others' turn comes in the next ones.</summary>
    public const int MostLearnedAtOnce = 1000;

    /// <summary>
    /// For how long what was learned of a function is kept that nobody calls. Default 100 days: what runs once a quarter of a year is known when it runs.
    /// </summary>
    public static readonly TimeSpan DefaultForgetAfter = TimeSpan.FromDays(100);

    /// <summary>
    /// The most functions that are forgotten in one <see cref="LearnedInterval"/>. Where the wall clock is wrong at a start, there is time to notice.
    /// </summary>
    public const int MostForgottenAtOnce = 10;

    private const int AtATime = 64;
    private const long TicketGap = 100_000;

    /// <summary>So many functions are taken over before the first request.</summary>
    private const int FewFunctions = 1024;
    private const int MarkCapacity = 1 << 17;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly IStateStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HolderMarks? _marks;
    private readonly bool _stepped;
    private readonly Dictionary<MetaKey, LearnedBytes> _learned;
    private readonly Dictionary<MetaKey, long> _learnedArrivals = [];

    /// <summary>Functions that had no pool at some time, those that were written down first at the beginning.</summary>
    private readonly Queue<(MetaKey Function, long WrittenUs)> _resting;
    private readonly List<(MetaKey Function, long WrittenUs)> _forgetting = [];
    private readonly ConcurrentDictionary<MetaKey, LearnedBytes> _kept = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly IReadOnlyList<SavedSlot> _formerSlots;
    private readonly Dictionary<long, long>? _formerMarks;
    private readonly long _originUnixUs;

    // Changed with the executor's lock held.
    private List<SlotEntry> _pending = [];
    private List<SlotEntry> _taken = [];
    private List<Action> _whenSaved = [];
    private CoreExecutor? _executor;
    private ScalerCore? _core;
    private Task _writer = Task.CompletedTask;
    private int _learnedFrom;
    private readonly TaskCompletionSource _restored = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _disposed;

    /// <param name="store">Where it is kept; disposed with this.</param>
    /// <param name="marksPath">The file for <see cref="HolderMarks"/>; null for none, then who holds what is in doubt after a kill.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what operators should know.</param>
    /// <exception cref="StateStoreException">What is stored cannot be read.</exception>
    public DurableState(IStateStore store, string? marksPath, TimeProvider time, ILogger logger)
        : this(store, marksPath, time, logger, MarkCapacity, stepped: false)
    {
    }

    /// <inheritdoc cref="DurableState(IStateStore, string?, TimeProvider, ILogger)"/>
    /// <param name="store">Where it is kept; disposed with this.</param>
    /// <param name="marksPath">The file for <see cref="HolderMarks"/>; null for none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what operators should know.</param>
    /// <param name="markCapacity">How many instances have a mark.</param>
    /// <param name="stepped">No thread is started: all is saved when <see cref="Step"/> is called, and what waits for it goes on within it.</param>
    internal DurableState(IStateStore store, string? marksPath, TimeProvider time, ILogger logger, int markCapacity, bool stepped)
    {
        ArgumentNullException.ThrowIfNull(store);
        _stepped = stepped;
        _store = store;
        _time = time;
        _logger = logger;
        var saved = store.Load();
        Run = saved.Run;

        // Further on than was saved: should a disk have lost what it said it had, no ticket that reached the backend comes again.
        LastTicket = saved.LastTicket == 0 ? 0 : saved.LastTicket + TicketGap;
        _formerSlots = saved.Slots;
        _learned = saved.Learned;
        _resting = new(saved.Learned.Where(l => l.Key.Value.Length > 0).Select(l => (l.Key, l.Value.WrittenUs)).OrderBy(l => l.WrittenUs));
        _originUnixUs = UnixUs();
        StartUs = saved.Clock.CoreUs + Math.Max(0, saved.Clock.UnixUs == 0 ? 0 : _originUnixUs - saved.Clock.UnixUs);
        if (marksPath is not null)
        {
            _formerMarks = HolderMarks.Read(marksPath, Run);
            try
            {
                _marks = HolderMarks.Create(marksPath, Run, markCapacity);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                LogNoMarks(e.Message);
            }
        }
    }

    /// <summary>The name under which slots are created: it is the same after each restart.</summary>
    public string Run { get; }

    /// <summary>
    /// For how long what was learned of a function is kept that nobody calls, above 0. Default <see cref="DefaultForgetAfter"/>. Times when the scaler
    /// does not run count too, by the wall clock.
    /// </summary>
    public TimeSpan ForgetAfter { get; init; } = DefaultForgetAfter;

    /// <summary>The functions of which something is known and that have not been called since the start, or for so long that they have no pool.</summary>
    public int FunctionsKnown => _learned.Count;

    /// <summary>The slots that were there at the start.</summary>
    public int SlotsKnown => _formerSlots.Count;

    /// <summary>Those slots, as they were saved.</summary>
    internal IReadOnlyList<SavedSlot> FormerSlots => _formerSlots;

    /// <summary>Whether it is also known who holds it.</summary>
    internal bool KnowsHolder(SlotTicket slot) => _formerMarks?.ContainsKey(slot.Value) == true;

    /// <summary>Why nothing can be saved at present; null where it can.</summary>
    public string? Failure { get; private set; }

    /// <summary>Ends once everything that was there is taken over.</summary>
    internal Task Restored => _restored.Task;

    /// <summary>Whether functions are left to be taken over.</summary>
    private bool Left { get; set; } = true;

    /// <summary>The time at which this process goes on, µs on the core's clock.</summary>
    internal long StartUs { get; }

    /// <summary>The last ticket that a former process may have used.</summary>
    internal long LastTicket { get; }

    LearnedBytes? ILearnedMemory.Shared => _learned.TryGetValue(new MetaKey(""), out var shared) ? shared : null;

    LearnedBytes? ILearnedMemory.Find(MetaKey function) => _learned.Remove(function, out var learned) ? learned : null;

    void ILearnedMemory.Keep(MetaKey function, LearnedBytes learned)
    {
        _learned[function] = learned;
        _kept[function] = learned;
        _learnedArrivals.Remove(function);
        _resting.Enqueue((function, learned.WrittenUs));
    }

    void ILearnedMemory.Ignored(MetaKey function, string why) => LogIgnored(function.Value.Length == 0 ? "all functions together" : $"function {function.Value}", why);

    void ISlotJournal.SlotChanged(SlotEntry slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        var state = slot.State;
        if (_marks is not null)
        {
            if (state is SlotState.Idle or SlotState.Busy && slot.Place < 0)
            {
                slot.Place = _marks.Take(slot.Ticket);
            }

            if (slot.Place >= 0)
            {
                _marks.Set(slot.Place, state switch
                {
                    _ when slot.Gone => HolderMarks.Ending,
                    SlotState.Busy => slot.Mark,
                    SlotState.Destroying => HolderMarks.Ending,
                    _ => HolderMarks.Free,
                });
            }
        }

        if (!slot.Changed)
        {
            slot.Changed = true;
            _pending.Add(slot);
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stopping.Cancel();
        Wake();
        _writer.GetAwaiter().GetResult();
        if (_executor is not null)
        {
            Write(learned: true, all: true);
        }

        _marks?.Dispose();
        _store.Dispose();
        _work.Dispose();
        _stopping.Dispose();
    }

    /// <summary>Does something once all that has changed until now is saved, or cannot be. Called with the executor's lock held.</summary>
    /// <param name="go">What to do; it must not wait.</param>
    internal void WhenSaved(Action go)
    {
        _whenSaved.Add(go);
        Wake();
    }

    /// <summary>Gives a core what was there, and begins to write down what changes.</summary>
    internal void Begin(CoreExecutor executor, ScalerCore core)
    {
        _executor = executor;
        _core = core;
        core.RestoreLater(_formerSlots.Select(slot => (slot.Function, Former(slot))));
        for (var few = 0; few < FewFunctions / AtATime && Left; few++)
        {
            RestoreSome();
        }

        if (!Left)
        {
            _restored.SetResult();
        }

        if (_stepped)
        {
            return;
        }

        // A thread of its own: commits wait for the disk.
        _writer = Task.Factory.StartNew(WriteAll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>What the thread that saves does in one round, where there is none.</summary>
    /// <param name="learned">Whether it is time to save what was learned.</param>
    internal void Step(bool learned)
    {
        if (Left)
        {
            RestoreSome();
        }
        else
        {
            _restored.TrySetResult();
        }

        Write(learned, all: false);
    }

    /// <summary>Ends as a process does that is killed: nothing more is saved.</summary>
    internal void Drop()
    {
        if (!_disposed)
        {
            _disposed = true;
            _marks?.Dispose();
        }
    }

    /// <summary>A slot as it was when the former process ended: what was saved, and what the marks know better.</summary>
    internal RestoredSlot Former(SavedSlot slot)
    {
        var address = slot.Address is null ? null : new Uri(slot.Address);
        var restored = new RestoredSlot(
            slot.Ticket,
            slot.State,
            slot.BackendId.Length == 0 ? default : new BackendSlotId(slot.BackendId),
            slot.Instance.Length == 0 ? default : new InstanceId(slot.Instance),
            address,
            slot.Requests is null ? [] : [.. slot.Requests.Split('\n').Select(r => new RequestId(r))],
            0,
            slot.SinceUs);
        if (_formerMarks?.TryGetValue(slot.Ticket.Value, out var mark) == true)
        {
            return mark switch
            {
                HolderMarks.Ending => restored with { State = SlotState.Destroying },
                HolderMarks.Free when slot.State is SlotState.Idle => restored,
                HolderMarks.Free when slot.State is SlotState.Busy => restored with { State = SlotState.Idle, Requests = [] },

                // Ready, but where it is reached had not been saved yet.
                HolderMarks.Free => restored with { State = SlotState.Destroying },

                // The last to come is known: so are those before it.
                _ when slot.Function.MaxConcurrency == 1 && Saved(mark) is { } one => restored with { State = SlotState.Busy, Requests = [one] },
                _ when Saved(mark) is not null => restored with { State = SlotState.Busy },

                // Several may have come since: none but them is to have it.
                _ => restored with
                {
                    State = SlotState.Busy,
                    Requests = slot.Function.MaxConcurrency == 1 ? [] : restored.Requests,
                    UnknownMark = mark,
                    Serves = slot.State is SlotState.Idle or SlotState.Busy && slot.Function.MaxConcurrency == 1,
                },
            };
        }

        // Saved as idle, it may have been given away since. Saved as busy, it may be held by another by now.
        return slot.State is SlotState.Idle or SlotState.Busy
            ? restored with { State = SlotState.Busy, Requests = [], Serves = slot.Function.MaxConcurrency == 1 }
            : restored;

        RequestId? Saved(long mark) => restored.Requests.Where(r => RequestMarks.Of(r) == mark).Select(r => (RequestId?)r).FirstOrDefault();
    }

    private static SavedSlot Saved(SlotEntry slot) => new(
        slot.Ticket,
        slot.Function,
        slot.State,
        slot.BackendId.Value ?? "",
        slot.Instance.Value ?? "",
        slot.Address?.ToString(),
        slot.State == SlotState.Busy && slot.Requests.Any() ? string.Join('\n', slot.Requests.Select(r => r.Value).Reverse()) : null,
        slot.SinceUs);

    private void Wake()
    {
        try
        {
            if (_work.CurrentCount == 0)
            {
                _work.Release();
            }
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // It is awake already, or has ended.
        }
    }

    private void RestoreSome() => _executor!.Do((nowUs, effects) => Left = _core!.RestoreNext(nowUs, AtATime, effects));

    private void WriteAll()
    {
        // Where there are many, requests are served meanwhile, each with what is left of its function.
        while (Left && !_stopping.IsCancellationRequested)
        {
            RestoreSome();
            Write(learned: false, all: false);
        }

        _restored.TrySetResult();
        var learnedAt = _time.GetTimestamp();
        while (!_stopping.IsCancellationRequested)
        {
            _work.Wait(Interval);
            var learned = _time.GetElapsedTime(learnedAt) >= LearnedInterval;
            learnedAt = learned ? _time.GetTimestamp() : learnedAt;
            if (!Write(learned, all: false))
            {
                _stopping.Token.WaitHandle.WaitOne(RetryAfter);
            }
        }
    }

    /// <summary>Saves what has changed.</summary>
    /// <param name="learned">What was learned as well.</param>
    /// <param name="all">Of however many functions.</param>
    /// <returns>False when it could not be saved.</returns>
    private bool Write(bool learned, bool all)
    {
        var batch = new StateBatch();
        var done = _executor!.Look(nowUs =>
        {
            (_pending, _taken) = (_taken, _pending);
            var taken = _whenSaved;
            _whenSaved = [];
            batch.LastTicket = _core!.LastTicket;
            batch.Clock = new StateClock(nowUs, _originUnixUs + (nowUs - StartUs));
            return taken;
        });
        for (var from = 0; from < _taken.Count; from += AtATime)
        {
            _executor.Look(_ =>
            {
                for (var i = from; i < Math.Min(from + AtATime, _taken.Count); i++)
                {
                    var slot = _taken[i];
                    slot.Changed = false;
                    if (slot.Gone)
                    {
                        batch.Gone.Add(slot.Ticket);
                    }
                    else if (slot.State != SlotState.Held)
                    {
                        batch.Slots.Add(Saved(slot));
                    }
                }

                return 0;
            });
        }

        if (learned)
        {
            TakeLearned(batch, all);
            TakeForgotten(batch);
        }

        var saved = batch.IsEmpty || Save(batch);
        if (!saved)
        {
            Restore(batch);
        }
        else if (batch.Forgotten.Count > 0)
        {
            Forget();
        }

        _executor.Look(_ =>
        {
            foreach (var slot in _taken)
            {
                if (!saved && !slot.Changed)
                {
                    slot.Changed = true;
                    _pending.Add(slot);
                }
                else if (saved && slot.Gone && slot.Place >= 0)
                {
                    _marks!.GiveBack(slot.Place);
                    slot.Place = -1;
                }
            }

            return 0;
        });
        _taken.Clear();

        // Whoever waits goes on in any case: a scaler that cannot write still serves.
        foreach (var go in done)
        {
            go();
        }

        return saved;
    }

    private bool Save(StateBatch batch)
    {
        try
        {
            _store.Save(batch);
            if (Failure is not null)
            {
                Failure = null;
                LogSavedAgain();
            }

            return true;
        }
        catch (StateStoreException e)
        {
            if (Failure is null)
            {
                LogNotSaved(e.Message);
            }

            Failure = e.Message;
            return false;
        }
    }

    /// <summary>What was learned and could not be saved is saved with the next batch, unless there is newer.</summary>
    private void Restore(StateBatch batch)
    {
        foreach (var (function, learned) in batch.Learned)
        {
            _kept.TryAdd(function, learned);
        }
    }

    private void TakeLearned(StateBatch batch, bool all)
    {
        foreach (var function in _kept.Keys)
        {
            if (_kept.TryRemove(function, out var kept))
            {
                batch.Learned[function] = kept;
            }
        }

        var pools = _executor!.Look(_ => _core!.Pools.ToList());
        for (var seen = 0; seen < pools.Count && (all || batch.Learned.Count < MostLearnedAtOnce); seen += AtATime)
        {
            var from = _learnedFrom;
            var count = Math.Min(AtATime, pools.Count - seen);
            _learnedFrom = (from + count) % pools.Count;
            _executor.Look(nowUs =>
            {
                for (var n = 0; n < count; n++)
                {
                    var i = (from + n) % pools.Count;
                    var (key, arrivals) = (pools[i].Function.Key, pools[i].Statistics.Arrivals);
                    if (arrivals > 0 && _learnedArrivals.GetValueOrDefault(key) != arrivals && _core!.Find(key) == pools[i])
                    {
                        _learnedArrivals[key] = arrivals;
                        batch.Learned[key] = new LearnedBytes(pools[i].WriteLearned(nowUs), nowUs);
                    }
                }

                return 0;
            });
        }

        if (batch.Learned.Count > 0 && _executor.Look(nowUs => _core!.WriteShared(nowUs) is { } bytes ? new LearnedBytes(bytes, nowUs) : (LearnedBytes?)null) is { } shared)
        {
            batch.Learned[new MetaKey("")] = shared;
        }
    }

    /// <summary>Those that nobody has called for so long that what was learned of them is of no use. They leave the memory once they have left the store.</summary>
    private void TakeForgotten(StateBatch batch)
    {
        _executor!.Look(nowUs =>
        {
            var beforeUs = nowUs - (long)ForgetAfter.TotalMicroseconds;
            for (var looked = 0; looked < AtATime && _forgetting.Count < MostForgottenAtOnce; looked++)
            {
                if (!_resting.TryPeek(out var oldest) || oldest.WrittenUs >= beforeUs)
                {
                    break;
                }

                _resting.Dequeue();

                // One that has been called since has a pool, or stands further back.
                if (StillRests(oldest.Function, oldest.WrittenUs))
                {
                    _forgetting.Add(oldest);
                }
            }

            return 0;
        });
        batch.Forgotten.AddRange(_forgetting.Select(f => f.Function));
    }

    private void Forget()
    {
        _executor!.Look(_ =>
        {
            foreach (var (function, writtenUs) in _forgetting)
            {
                if (StillRests(function, writtenUs))
                {
                    _learned.Remove(function);
                }
            }

            return 0;
        });
        _forgetting.Clear();
    }

    private bool StillRests(MetaKey function, long writtenUs) => _learned.TryGetValue(function, out var learned) && learned.WrittenUs == writtenUs;

    private long UnixUs() => _time.GetUtcNow().ToUnixTimeMilliseconds() * 1000;

    [LoggerMessage(130, LogLevel.Error, "The state cannot be saved, and the scaler goes on without: {Reason}")]
    private partial void LogNotSaved(string reason);

    [LoggerMessage(131, LogLevel.Warning, "The state is saved again")]
    private partial void LogSavedAgain();

    [LoggerMessage(132, LogLevel.Warning, "What former runs have learned of {Whose} is ignored: {Reason}")]
    private partial void LogIgnored(string whose, string reason);

    [LoggerMessage(133, LogLevel.Warning, "No file can be made that says who holds which instance; after a kill all instances in use and idle are held back: {Reason}")]
    private partial void LogNoMarks(string reason);
}
