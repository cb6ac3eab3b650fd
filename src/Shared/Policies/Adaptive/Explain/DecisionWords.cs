using System.Globalization;

namespace FuncScaler.Policies.Adaptive.Explain;

/// <summary>Says a decision and its reason in a sentence.</summary>
internal static class DecisionWords
{
    /// <summary>The sentence.</summary>
    /// <param name="made">What was decided.</param>
    /// <param name="cost">What that was expected to cost, GB·s; NaN where nothing is known.</param>
    /// <param name="alternative">What doing otherwise was expected to cost, GB·s; NaN where nothing is known.</param>
    public static string Of(in Decision made, double cost, double alternative)
    {
        var instances = made.Count == 1 ? "one instance" : Said($"{made.Count} instances");
        var held = Time((made.UntilUs - made.AtUs) / 1e6);
        return made.Kind switch
        {
            DecisionKind.Keep => Said($"Keep instance {made.Rank} for {held}{AsPlanned(cost, "keeping it", alternative, "giving it back")}"),
            DecisionKind.KeepForPeriod => Said(
                $"Keep instance {made.Rank} for {held}, until the arrival that the period foretells{Because(cost, "keeping it costs", alternative, "a cold start")}"),
            DecisionKind.Release => Said($"Give instance {made.Rank} back{AsPlanned(cost, "giving it back", alternative, "keeping it")}"),
            DecisionKind.Create => Said($"Create {instances} for a request that found none{Because(cost, "creating is expected to cost", alternative, "waiting for a release")}"),
            DecisionKind.Wait => Said($"Let a request wait for a release, and create none{Because(cost, "waiting is expected to cost", alternative, "creating one")}"),
            DecisionKind.PrewarmByPlan => Said($"Create {instances} ahead, as the plan for the gap says{Because(cost, "that costs", alternative, "a cold start")}"),
            _ => Said($"Create {instances} ahead, for the arrival that the period foretells{Because(cost, "that costs", alternative, "a cold start")}"),
        };
    }

    /// <summary>These costs are worked out now. Where they speak against the decision, more is known now than was then, and the sentence says so.</summary>
    private static string AsPlanned(double cost, string what, double alternative, string otherwise) =>
        cost > alternative
            ? Said($", as the plan said then. From what is known now, {what} is expected to cost {Gbs(cost)}, {otherwise} {Gbs(alternative)}.")
            : Because(cost, $"{what} is expected to cost", alternative, otherwise);

    private static string Because(double cost, string what, double alternative, string otherwise) =>
        !double.IsFinite(cost) ? "."
        : !double.IsFinite(alternative) ? Said($": {what} {Gbs(cost)}.")
        : Said($": {what} {Gbs(cost)}, {otherwise} {Gbs(alternative)}.");

    private static string Gbs(double gbs) => gbs switch
    {
        0 => "0 GB·s",
        < 0.001 => "less than 0.001 GB·s",
        < 1 => Said($"{gbs:0.###} GB·s"),
        < 100 => Said($"{gbs:0.##} GB·s"),
        _ => Said($"{gbs:N0} GB·s"),
    };

    private static string Time(double seconds) => seconds switch
    {
        < 1 => Said($"{seconds * 1e3:0} ms"),
        < 120 => Said($"{seconds:0.#} s"),
        < 7200 => Said($"{seconds / 60:0.#} min"),
        _ => Said($"{seconds / 3600:0.#} h"),
    };

    private static string Said(FormattableString words) => words.ToString(CultureInfo.InvariantCulture);
}
