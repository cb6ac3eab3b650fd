using FuncScaler.Policies;

namespace FuncScaler.Tests.Policies;

/// <summary>
/// A scaler under a policy, before a backend that answers create, init and destroy after fixed times, in virtual time. Tests call it and
/// read from <see cref="Log"/> what was asked of the backend, and when.
/// </summary>
internal sealed class PolicyBench
{
    private readonly ScalerCore _core;
    private readonly PriorityQueue<Action, (long AtUs, long Order)> _answers = new();
    private readonly Dictionary<RequestId, Held> _held = [];
    private readonly List<Effect> _effects = [];
    private long _order;

    public PolicyBench(string policy)
        : this(PolicyCatalog.Parse(policy))
    {
    }

    public PolicyBench(PolicyChoice policy) => _core = new ScalerCore(policy, new SlotPoolOptions());

    /// <summary>How long a create takes, s.</summary>
    public double CreateSeconds { get; set; } = 0.1;

    /// <summary>How long an init takes, s.</summary>
    public Func<FunctionMeta, double> InitSeconds { get; set; } = _ => 0.4;

    /// <summary>The time, s.</summary>
    public double Now => NowUs / 1e6;

    /// <summary>Creates and destroys as they were asked.</summary>
    public List<Entry> Log { get; } = [];

    private long NowUs { get; set; }

    public static FunctionMeta Function(string key = "f", int memoryMb = 512) => new(new MetaKey(key), "", 0, memoryMb);

    public SlotPool Pool(FunctionMeta function) => _core.Find(function.Key)!;

    /// <summary>When slots of a function were asked to be created, s.</summary>
    public IEnumerable<double> Creates(FunctionMeta function) => Times(function, EffectKind.CreateSlot);

    /// <summary>When slots of a function were asked to be destroyed, s.</summary>
    public IEnumerable<double> Destroys(FunctionMeta function) => Times(function, EffectKind.DestroySlot);

    /// <summary>The functions whose slots were destroyed, in that order.</summary>
    public IEnumerable<string> DestroyOrder => Log.Where(e => e.Kind == EffectKind.DestroySlot).Select(e => e.Function);

    /// <summary>Limits of a function from now on.</summary>
    public void Limit(FunctionMeta function, FunctionLimits limits)
    {
        _core.SetLimits(NowUs, function.Key, limits, function, _effects);
        RunEffects();
    }

    /// <summary>Lets time pass to <paramref name="seconds"/>, with all that falls due on the way.</summary>
    public void AdvanceTo(double seconds)
    {
        var untilUs = (long)Math.Round(seconds * 1e6);
        while (true)
        {
            var answerUs = _answers.TryPeek(out _, out var next) ? next.AtUs : long.MaxValue;
            var wakeUs = _core.NextWakeUs;
            var nextUs = Math.Min(answerUs, wakeUs);
            if (nextUs > untilUs)
            {
                break;
            }

            NowUs = Math.Max(NowUs, nextUs);
            if (answerUs <= wakeUs)
            {
                _answers.Dequeue()();
            }
            else
            {
                _core.Tick(NowUs, _effects);
            }

            RunEffects();
        }

        NowUs = Math.Max(NowUs, untilUs);
    }

    public void Advance(double seconds) => AdvanceTo(Now + seconds);

    /// <summary>A request arrives now.</summary>
    public RequestId Assign(FunctionMeta function)
    {
        var request = new RequestId($"r{++_order}");
        _core.Assign(NowUs, function, request, long.MaxValue, _effects);
        RunEffects();
        return request;
    }

    /// <summary>A request that holds an instance is done now.</summary>
    public void Release(RequestId request, double durationSeconds = 0.001)
    {
        Assert.True(_held.Remove(request, out var held), $"{request} holds no instance");
        _core.Release(NowUs, held.Function, request, held.Instance, new ReleaseResult((long)(durationSeconds * 1e6), false), _effects);
        RunEffects();
    }

    /// <summary>A request arrives now, gets its instance, executes, and is done. Returns whether it had to wait.</summary>
    public bool Run(FunctionMeta function, double durationSeconds)
    {
        var request = Assign(function);
        var cold = !_held.ContainsKey(request);
        for (var waited = 0; !_held.ContainsKey(request); waited++)
        {
            Assert.True(waited < 100_000, "no instance in 1000 s");
            Advance(0.01);
        }

        Advance(durationSeconds);
        Release(request, durationSeconds);
        return cold;
    }

    /// <summary>Several requests arrive now and execute at the same time.</summary>
    public void RunTogether(FunctionMeta function, int count, double durationSeconds)
    {
        var endUs = NowUs + (long)(durationSeconds * 1e6);
        var requests = Enumerable.Range(0, count).Select(_ => Assign(function)).ToList();
        AdvanceTo(endUs / 1e6);
        requests.ForEach(r => Release(r, durationSeconds));
    }

    private IEnumerable<double> Times(FunctionMeta function, EffectKind kind) =>
        Log.Where(e => e.Kind == kind && e.Function == function.Key.Value).Select(e => e.AtSeconds);

    private void RunEffects()
    {
        for (var i = 0; i < _effects.Count; i++)
        {
            var effect = _effects[i];
            var function = effect.Function.Key;
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot:
                    Log.Add(new Entry(Now, effect.Kind, function.Value));
                    Answer(CreateSeconds, () => _core.SlotCreated(NowUs, function, effect.Ticket, new BackendSlotId($"s{effect.Ticket}"), _effects));
                    break;
                case EffectKind.InitSlot:
                    Answer(InitSeconds(effect.Function), () => _core.SlotReady(NowUs, function, effect.Ticket, _effects));
                    break;
                case EffectKind.DestroySlot:
                    Log.Add(new Entry(Now, effect.Kind, function.Value));
                    Answer(0.02, () => _core.SlotDestroyed(NowUs, function, effect.Ticket, _effects));
                    break;
                case EffectKind.Grant:
                    _held.Add(effect.Request, new Held(function, effect.Instance));
                    break;
                case EffectKind.Reject:
                    Assert.Fail($"{effect.Request} was rejected: {effect.Message}");
                    break;
                default:
                    break;
            }
        }

        _effects.Clear();
    }

    private void Answer(double afterSeconds, Action action) => _answers.Enqueue(action, (NowUs + (long)(afterSeconds * 1e6), _order++));

    internal sealed record Entry(double AtSeconds, EffectKind Kind, string Function);

    private sealed record Held(MetaKey Function, InstanceId Instance);
}
