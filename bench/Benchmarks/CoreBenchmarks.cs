using BenchmarkDotNet.Attributes;
using FuncScaler.Policies;
using FuncScaler.Statistics;

namespace FuncScaler.Benchmarks;

/// <summary>The decision core by itself: what a request costs before any wire.</summary>
public class CoreBenchmarks
{
    private readonly FunctionMeta _function = new(new MetaKey("f"), "go", 60, 512);
    private readonly RequestId _request = new("r");
    private readonly List<Effect> _effects = [];
    private readonly LogHistogram _histogram = new(halfLifeUs: 3_600_000_000);
    private ScalerCore _core = null!;
    private SlotPool _pool = null!;
    private long _nowUs;
    private long _value;

    [Params("ttl:300", "adaptive", "hybrid-histogram")]
    public string Policy { get; set; } = "ttl:300";

    [GlobalSetup]
    public void SetUp()
    {
        _core = new ScalerCore(PolicyCatalog.Parse(Policy), new SlotPoolOptions());
        _core.Assign(_nowUs, _function, _request, long.MaxValue, _effects);
        for (var i = 0; i < _effects.Count; i++)
        {
            var effect = _effects[i];
            switch (effect.Kind)
            {
                case EffectKind.CreateSlot:
                    _core.SlotCreated(_nowUs += 100_000, _function.Key, effect.Ticket, new BackendSlotId("s"), _effects);
                    break;
                case EffectKind.InitSlot:
                    _core.SlotReady(_nowUs += 10_000, _function.Key, effect.Ticket, _effects);
                    break;
                case EffectKind.Grant:
                    _core.Release(_nowUs += 20_000, _function.Key, _request, effect.Instance, new ReleaseResult(20_000, false), _effects);
                    break;
                default:
                    break;
            }
        }

        _effects.Clear();
        _pool = _core.Find(_function.Key)!;
    }

    [Benchmark(Description = "Assign and Release on a warm pool")]
    public int AssignAndRelease()
    {
        _core.Assign(_nowUs += 20_000, _function, _request, long.MaxValue, _effects);
        var instance = _effects[0].Instance;
        _core.Release(_nowUs += 10_000, _function.Key, _request, instance, new ReleaseResult(10_000, false), _effects);
        var count = _effects.Count;
        _effects.Clear();
        return count;
    }

    [Benchmark(Description = "Tick of a pool with nothing due")]
    public int Tick()
    {
        _pool.Tick(_nowUs, _effects);
        var count = _effects.Count;
        _effects.Clear();
        return count;
    }

    [Benchmark(Description = "LogHistogram.Add")]
    public void Add() => _histogram.Add(_value = (_value + 7919) % 10_000_000, _nowUs += 1000);
}
