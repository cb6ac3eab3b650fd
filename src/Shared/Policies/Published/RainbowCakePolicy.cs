using System.Runtime.InteropServices;

namespace FuncScaler.Policies.Published;

/// <summary>
/// Keeps an instance by the rate of its function, then as a layer of its language by the rate of all functions of that language, then as a bare
/// layer by the rate of all. Source: Yu et al., "RainbowCake: Mitigating Cold-starts in Serverless with Layer-wise Container Caching and Sharing"
/// (ASPLOS 2024; IntelliSys-Lab/RainbowCake-ASPLOS24).
/// </summary>
/// <remarks>
/// As published: the mean gap of a layer is (now - the oldest of its last 6 arrivals) / 6, and it is kept for -gap · ln(1 - 0.8), from 60 s up to
/// β = ⌈α · start-up / ((1 - α) · memory)⌉ with α = 0.996. An instance degrades at expiry: user, language, bare, gone. A layer serves whichever
/// function that shares it comes first.
/// What is left open or cannot be had here, and what is taken: β's start-up counts in ms and its memory in MB, as in s it would be below the 60 s
/// for nearly every function; where it is below, 60 s hold. A layer's start-up is what it saves: create and init for the user layer, create and the
/// language's part of the init for the language layer, the create for the bare one. A language is a runtime, and a layer serves functions of its
/// slot's memory size. The language's part is half of the init, and layers take all of their slot's memory, unless options say otherwise. Only
/// virtual time has a platform that degrades; elsewhere the instance is gone after its user layer. Prewarming of layers is left out.
/// </remarks>
public sealed class RainbowCakePolicy : IKeepAlivePolicy
{
    private readonly LayerRate _rate = new();

    public void RequestArrived(in PoolView pool) => _rate.Arrived(pool.NowUs);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldUntil(
        slot.SinceUs + _rate.KeepUs(slot.SinceUs, pool.Statistics.ColdStartUs, pool.Function.MemoryMb));

    /// <summary>The policy with its layers.</summary>
    public static PolicyChoice Choose(RainbowCakePolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new PolicyChoice("", _ => new RainbowCakePolicy())
        {
            SharesState = true,
            Layers = () => new Layers(options),
        };
    }

    /// <summary>The arrivals of whatever shares a layer.</summary>
    internal sealed class LayerRate
    {
        private const int Arrivals = 6;
        private const double Quantile = 0.8;
        private const double Alpha = 0.996;
        private const long LeastUs = 60_000_000;

        private readonly Queue<long> _arrivalsUs = new();

        public void Arrived(long nowUs)
        {
            if (_arrivalsUs.Count == Arrivals)
            {
                _arrivalsUs.Dequeue();
            }

            _arrivalsUs.Enqueue(nowUs);
        }

        /// <summary>How long the layer is kept from now on, µs.</summary>
        /// <param name="nowUs">The time.</param>
        /// <param name="startupUs">What the layer saves, µs.</param>
        /// <param name="memoryMb">What it takes, MB.</param>
        public long KeepUs(long nowUs, double startupUs, double memoryMb)
        {
            var gapUs = _arrivalsUs.TryPeek(out var oldestUs) ? (nowUs - oldestUs) / (double)Arrivals : 0;
            var mostSeconds = Math.Ceiling(Alpha * (startupUs / 1000) / ((1 - Alpha) * memoryMb));
            return (long)Math.Max(LeastUs, Math.Min(-gapUs * Math.Log(1 - Quantile), mostSeconds * 1e6));
        }
    }

    private sealed class Layers(RainbowCakePolicyOptions options) : ILayerRules
    {
        private readonly Dictionary<string, LayerRate> _languages = [];
        private readonly LayerRate _bare = new();

        public double LanguageInitShare => options.LanguageInitShare;

        public double LanguageMemoryShare => options.LanguageMemoryShare;

        public double BareMemoryShare => options.BareMemoryShare;

        public void Arrived(long nowUs, FunctionMeta function)
        {
            Language(function).Arrived(nowUs);
            _bare.Arrived(nowUs);
        }

        public (long LanguageUs, long BareUs) KeepLayers(long nowUs, FunctionMeta function, long createUs, long initUs) => (
            Language(function).KeepUs(nowUs, createUs + (initUs * (1 - LanguageInitShare)), function.MemoryMb),
            _bare.KeepUs(nowUs, createUs, function.MemoryMb));

        private LayerRate Language(FunctionMeta function)
        {
            var rate = CollectionsMarshal.GetValueRefOrAddDefault(_languages, function.Runtime, out _) ??= new LayerRate();

            return rate;
        }
    }
}

/// <summary>Options of <see cref="RainbowCakePolicy"/>.</summary>
public sealed record RainbowCakePolicyOptions
{
    /// <summary>The share of an init that a language layer leaves to do, 0 to 1.</summary>
    /// <value>The default is 0.5, which is ours.</value>
    public double LanguageInitShare { get; init; } = 0.5;

    /// <summary>The share of its slot's memory that a language layer takes, 0 to 1.</summary>
    /// <value>The default is 1: a slot is paid for as it is.</value>
    public double LanguageMemoryShare { get; init; } = 1;

    /// <summary>The share of its slot's memory that a bare layer takes, 0 to 1.</summary>
    /// <value>The default is 1.</value>
    public double BareMemoryShare { get; init; } = 1;

    internal RainbowCakePolicyOptions Read(PolicyOptionReader reader) => this with
    {
        LanguageInitShare = reader.Number("init", LanguageInitShare, 0, 1),
        LanguageMemoryShare = reader.Number("language", LanguageMemoryShare, 0, 1),
        BareMemoryShare = reader.Number("bare", BareMemoryShare, 0, 1),
    };
}
