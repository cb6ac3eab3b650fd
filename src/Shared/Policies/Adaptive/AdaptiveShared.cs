using FuncScaler.Learned;
using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;
using FuncScaler.Policies.Adaptive.Planning;
using FuncScaler.Statistics;

namespace FuncScaler.Policies.Adaptive;

/// <summary>What the functions of one scaler share.</summary>
/// <param name="options">How what is learned is weighed.</param>
internal sealed class AdaptiveShared(AdaptivePolicyOptions options) : ILearned
{
    private readonly RunningTime _cold = new();
    private readonly List<AdaptivePolicy> _policies = [];
    private int _settled;
    private RateRises.Share _rateRises;
    private double _logDuration;
    private int _durations;

    public ContestPrice ContestPrice { get; } = new();

    /// <summary>Finds the price that meets the objective; null where there is none.</summary>
    public Objective? Objective { get; } = Objective.Of(options);

    public SharedGaps Gaps { get; } = new();

    /// <summary>Scratch space for the costs that the last arrival added to a function's pretended pools.</summary>
    public PretendedPools.Costs LastCosts { get; } = new();

    /// <summary>Scratch space for the number of requests that a decision expects.</summary>
    public ExpectedArrivals Expected { get; } = new();

    /// <summary>The share of the extra requests foretold by rises in rate that come, over all functions.</summary>
    public ref RateRises.Share RateRises => ref _rateRises;

    /// <summary>How many functions there are.</summary>
    public int Functions => _policies.Count;

    /// <summary>The mean cold start over functions, µs; 0 before the first.</summary>
    public double MeanColdUs => _cold.MeanUs;

    /// <summary>The geometric mean of execution times over functions, µs; null before the first.</summary>
    public double? DurationUs => _durations == 0 ? null : Math.Exp(_logDuration / _durations);

    /// <summary>A function joins. Returns its index in the list.</summary>
    public int Join(AdaptivePolicy policy)
    {
        _policies.Add(policy);
        return _policies.Count - 1;
    }

    /// <summary>The function at an index leaves. The last function of the list moves to this index.</summary>
    public void Leave(int place)
    {
        _policies[place] = _policies[^1];
        _policies[place].Place = place;
        _policies.RemoveAt(_policies.Count - 1);
    }

    /// <summary>Brings the costs of one function's pretended pools up to date. Each call takes the next function in turn.</summary>
    public void SettleNext(long nowUs) => _policies[_settled++ % _policies.Count].Settle(nowUs);

    /// <summary>Enters an execution time, µs.</summary>
    public void Executed(long us)
    {
        _logDuration += Math.Log(Math.Max(1000, us));
        _durations++;
    }

    /// <summary>Enters a cold start's time, µs.</summary>
    public void ColdStarted(double us) => _cold.Add((long)us);

    /// <inheritdoc/>
    public void WriteLearned(LearnedWriter writer)
    {
        _cold.Write(writer);
        writer.Number(_logDuration);
        writer.Whole(_durations);
        _rateRises.Write(writer);
        ContestPrice.Write(writer);
        Gaps.Write(writer, LearnedRecord.MostSharedBytes - 1536);
        writer.Byte((byte)(Objective is null ? 0 : 1));
        Objective?.Write(writer);
    }

    /// <inheritdoc/>
    public void ReadLearned(LearnedReader reader)
    {
        _cold.Read(reader);
        _logDuration = reader.Number();
        _durations = reader.Count(int.MaxValue);
        _rateRises.Read(reader);
        ContestPrice.Read(reader);
        Gaps.Read(reader);
        if (reader.Version >= 3 && reader.Byte() == 1)
        {
            var read = Objective.Read(reader);
            Objective?.Take(read);
        }
    }
}
