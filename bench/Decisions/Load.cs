using System.Diagnostics;
using System.Runtime.CompilerServices;
using FuncScaler.Policies;

namespace FuncScaler.Benchmarks;

/// <summary>A core before a backend that answers at once in virtual time; each Assign and Release is timed in real time.</summary>
internal sealed class Load(string policy)
{
    private const long CreateUs = 100_000;
    private const long InitUs = 400_000;

    private readonly ScalerCore _core = new(PolicyCatalog.Parse(policy), new SlotPoolOptions());
    private readonly PriorityQueue<Due, (long AtUs, long Order)> _due = new();
    private readonly Dictionary<RequestId, long> _durations = [];
    private readonly Dictionary<MetaKey, StrongBox<long>> _beside = [];
    private readonly List<Effect> _effects = [];
    private long _nowUs;
    private long _order;

    /// <summary>What each Assign took until its grant left, ns; where no instance was idle, until it was decided to wait or to create.</summary>
    public List<double> AssignNs { get; } = [];

    /// <summary>The same of those alone that found an idle instance, ns.</summary>
    public List<double> WarmNs { get; } = [];

    /// <summary>What it took to find the function in a dictionary of its own, and to write one number in what is found, ns: a measure for the rest.</summary>
    public List<double> FindNs { get; } = [];

    /// <summary>What each Release took until the instance's next request, if any waited, had its grant, ns.</summary>
    public List<double> ReleaseNs { get; } = [];

    /// <summary>What followed each Assign and Release before the next event, ns.</summary>
    public List<double> SettleNs { get; } = [];

    /// <summary>Plays requests; the first so many are not timed.</summary>
    public void Play(IEnumerable<(FunctionMeta Function, long AtUs, long DurationUs)> requests, int untimed)
    {
        foreach (var (known, atUs, durationUs) in requests)
        {
            AdvanceTo(atUs);

            // A host has just read the request: what describes its function are objects of its own.
            var function = known with { Key = new MetaKey(new string(known.Key.Value.AsSpan())) };
            var request = new RequestId($"r{++_order}");
            _durations.Add(request, durationUs);
            var began = Stopwatch.GetTimestamp();
            _core.AssignFirst(_nowUs, function, request, long.MaxValue, _effects);
            var tookNs = SinceNs(began);
            var warm = _effects is [{ Kind: EffectKind.Grant }];
            Settle();
            var findNs = Find(function.Key);
            if (untimed-- <= 0)
            {
                AssignNs.Add(tookNs);
                FindNs.Add(findNs);
                if (warm)
                {
                    WarmNs.Add(tookNs);
                }
            }
            else
            {
                ReleaseNs.Clear();
                SettleNs.Clear();
            }

            RunEffects();
        }
    }

    private static double SinceNs(long began) => (Stopwatch.GetTimestamp() - began) * 1e9 / Stopwatch.Frequency;

    private double Find(MetaKey key)
    {
        var began = Stopwatch.GetTimestamp();
        if (_beside.TryGetValue(key, out var found))
        {
            found.Value++;
            return SinceNs(began);
        }

        _beside.Add(key, new StrongBox<long>());
        return SinceNs(began);
    }

    private void Settle()
    {
        var began = Stopwatch.GetTimestamp();
        _core.Settle(_effects);
        SettleNs.Add(SinceNs(began));
    }

    private void AdvanceTo(long untilUs)
    {
        while (true)
        {
            var dueUs = _due.TryPeek(out _, out var next) ? next.AtUs : long.MaxValue;
            if (Math.Min(dueUs, _core.NextWakeUs) > untilUs)
            {
                break;
            }

            _nowUs = Math.Max(_nowUs, Math.Min(dueUs, _core.NextWakeUs));
            if (dueUs <= _core.NextWakeUs)
            {
                Answer(_due.Dequeue());
            }
            else
            {
                _core.Tick(_nowUs, _effects);
            }

            RunEffects();
        }

        _nowUs = Math.Max(_nowUs, untilUs);
    }

    private void Answer(Due due)
    {
        var (effect, durationUs) = due;
        var function = effect.Function.Key;
        switch (effect.Kind)
        {
            case EffectKind.CreateSlot:
                _core.SlotCreated(_nowUs, function, effect.Ticket, new BackendSlotId($"s{effect.Ticket}"), _effects);
                break;
            case EffectKind.InitSlot:
                _core.SlotReady(_nowUs, function, effect.Ticket, _effects);
                break;
            case EffectKind.DestroySlot:
                _core.SlotDestroyed(_nowUs, function, effect.Ticket, _effects);
                break;
            default:
                var began = Stopwatch.GetTimestamp();
                _core.ReleaseFirst(_nowUs, function, effect.Request, effect.Instance, new ReleaseResult(durationUs, false), _effects);
                ReleaseNs.Add(SinceNs(began));
                Settle();
                break;
        }
    }

    private void RunEffects()
    {
        foreach (var effect in _effects)
        {
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot:
                    Enqueue(effect, CreateUs);
                    break;
                case EffectKind.InitSlot:
                    Enqueue(effect, InitUs);
                    break;
                case EffectKind.DestroySlot:
                    Enqueue(effect, 0);
                    break;
                case EffectKind.Grant:
                    _durations.Remove(effect.Request, out var durationUs);
                    Enqueue(effect, durationUs, durationUs);
                    break;
                case EffectKind.Reject:
                    throw new InvalidOperationException($"{effect.Request} was rejected: {effect.Message}");
                default:
                    break;
            }
        }

        _effects.Clear();
    }

    private void Enqueue(Effect effect, long afterUs, long durationUs = 0) => _due.Enqueue(new Due(effect, durationUs), (_nowUs + afterUs, ++_order));

    private readonly record struct Due(Effect Effect, long DurationUs);
}
