using FuncScaler.Learned;
using FuncScaler.Policies.Adaptive.Choosing;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>The plans of one group of ranks, one for each price, and what they are made from.</summary>
internal sealed class RankPlans
{
    private Candidates.OfEachPrice<KeepAlivePlan> _plans;
    private Candidates.OfEachPrice<float> _waitSeconds;
    private DisplacedExecutions _displaced;

    /// <summary>Plans of a group for which none have been made: hold nothing.</summary>
    public static RankPlans Unplanned { get; } = new();

    public Span<KeepAlivePlan> Plans => _plans;

    /// <summary>Whether the plans have been made yet.</summary>
    public bool Made => NextCount > 0;

    /// <summary>For each price, how long a request of the rank that finds no instance waits, s; 0 if no such wait has been seen.</summary>
    public Span<float> WaitSeconds => _waitSeconds;

    /// <summary>The executions that are displaced while the instance is missing.</summary>
    public ref DisplacedExecutions Displaced => ref _displaced;

    /// <summary>The number of gaps at which the plans are made anew; 0 until they are made.</summary>
    public int NextCount { get; set; }

    /// <summary>The time at which the plans are made anew at the latest, µs.</summary>
    public long NextUs { get; set; }

    /// <summary>Whether no execution had ended when the plans were made.</summary>
    public bool MadeUnseen { get; set; }

    /// <summary>The plan that a candidate follows.</summary>
    public ref readonly KeepAlivePlan Of(int candidate) => ref Plans[Candidates.PlanOf(candidate)];

    /// <summary>Writes what plans are made from; they are made anew when that is read.</summary>
    public void Write(LearnedWriter writer)
    {
        Displaced.Write(writer);
        for (var price = 0; price < Candidates.PriceCount; price++)
        {
            writer.Rough(WaitSeconds[price]);
            writer.Rough(Plans[price].WorthGbs);
        }
    }

    public void Read(LearnedReader reader)
    {
        Displaced.Read(reader);
        for (var price = 0; price < Candidates.PriceCount; price++)
        {
            // The search for a plan begins with the worth of the last plan. From another beginning it could find another plan.
            WaitSeconds[price] = (float)reader.Rough();
            Plans[price].WorthGbs = reader.Version >= 2 ? (float)reader.Rough() : 0;
        }
    }
}
