using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>What <c>explain</c> prints.</summary>
internal static class ExplainOutput
{
    private const int ShownBins = 6;

    // The same names as in the JSON API; never embedded in HTML, so quotes stay quotes.
    private static readonly JsonSerializerOptions Indented =
        new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Json(PolicyExplanation explanation) => JsonSerializer.Serialize(explanation, Indented);

    public static void Print(string traceName, string policy, PolicyExplanation e)
    {
        var summary = Table($"{e.Function} in {traceName} under {policy}, at {Seconds(e.AtSeconds)}", new TextColumn("", IsNumber: false), Words("what is known"));
        summary.Add("function", $"{e.MemoryMb} MB, {Tables.Number(e.Arrivals, "N0")} requests");
        summary.Add("cold start", $"{Seconds(e.ColdStartSeconds)}, as bad as {Tables.Number(e.Pile, "0.##")} waits of that length");
        summary.Add(
            "price of waiting",
            $"{Tables.Number(e.Price.GbsPerSecond, "0.###")} GB·s per s, {(e.Price.Given is { } given ? $"the nearest to the given {Tables.Number(given, "0.###")}" : "found")}");
        if (e.Price.Objective is { } objective)
        {
            summary.Add("objective", Objective(objective));
        }

        summary.Add("follows", e.Followed);
        if (e.LimitsCost is { } limitsCost)
        {
            summary.Add("limits so far", string.Create(
                CultureInfo.InvariantCulture,
                $"{limitsCost.FloorGbSeconds:0.0} GB·s of idle instances that only the floor held, {limitsCost.CeilingWaitSeconds:0.0} s of waiting at the ceiling"));
        }

        if (e.Limits is { } limits)
        {
            summary.Add("limits", $"{limits.MinInstances} to {(limits.MaxInstances == 0 ? "any number of" : limits.MaxInstances)} instances");
        }

        foreach (var group in e.Groups ?? [])
        {
            summary.Add(
                "group",
                $"{group.FanOut} follow each request of {group.Parent}, expected {Seconds(group.FromSeconds)} to {Seconds(group.UntilSeconds)} after it; {Tables.Number(group.Expected, "N0")} now");
        }

        if (e.Concurrency is { } concurrency)
        {
            summary.Add("requests an instance", Sharing(concurrency));
        }

        summary.Add(
            "period",
            e.Period is not { } period ? "none"
                : $"{Seconds(period.Seconds)} ± {Seconds(period.MarginSeconds)}, {Percent(period.Reliability)} of what it foretells comes"
                    + (period.NextSeconds is { } next ? $", next at {Seconds(next)}" : "") + (period.Followed ? "" : "; not followed"));
        summary.Write();

        var candidates = Table("what it chooses among, aged", new TextColumn("candidate", IsNumber: false), Figure("slot GB·s"), Figure("wait s"), Figure("cost GB·s"));
        foreach (var c in e.Candidates)
        {
            candidates.Add((c.Name == e.Followed ? "> " : "  ") + c.Name, Number(c.SlotGbSeconds), Number(c.WaitSeconds), Number(c.CostGbs));
        }

        candidates.Write();

        var prices = Table(
            "what if waiting had another price",
            new TextColumn("price", IsNumber: false),
            new TextColumn("follows", IsNumber: false),
            new TextColumn("hold", IsNumber: false),
            Words("prewarm", 1),
            Figure("memory GB·s"),
            Figure("waiting GB·s"),
            Figure("cost GB·s"));
        foreach (var p in e.Prices)
        {
            prices.Add(
                (p.GbsPerSecond == e.Price.GbsPerSecond ? "> " : "  ") + Tables.Number(p.GbsPerSecond, "0.###"),
                p.Followed,
                p.Plan is null ? "" : Seconds(p.Plan.HoldSeconds),
                Prewarms(p.Plan),
                Number(p.MemoryGbs),
                Number(p.WaitingGbs),
                Number(p.CostGbs));
        }

        prices.Write();

        var ranks = Table("idle gaps and the plan for the next", new TextColumn("rank", IsNumber: false), new TextColumn("gaps", IsNumber: false), Words("largest shares, up to"), new TextColumn("hold", IsNumber: false), Words("prewarm"), Figure("worth GB·s", 1));
        foreach (var r in e.Ranks)
        {
            ranks.Add(
                r.FromRank == r.ToRank ? $"{r.FromRank}" : $"{r.FromRank}-{r.ToRank}",
                Tables.Number(r.GapsSeen, "N0"),
                Gaps(r.Gaps),
                r.Plan is null ? "" : Seconds(r.Plan.HoldSeconds),
                Prewarms(r.Plan),
                r.Plan is null ? "" : Number(r.Plan.WorthGbs));
        }

        ranks.Write();

        var decisions = Table("last decisions, with what they were expected to cost", Figure("at s"), Words("decision"), Figure("cost GB·s"), Words("instead", 2), Figure("cost GB·s", 1));
        foreach (var d in e.Decisions)
        {
            decisions.Add(
                Tables.Number(d.AtSeconds, "0.000"),
                What(d),
                d.CostGbs is { } cost ? Number(cost) : "",
                d.Alternative,
                d.AlternativeGbs is { } other ? Number(other) : "");
        }

        decisions.Write();
    }

    private static string Objective(ObjectiveExplanation objective) => objective is { WithinGb: { } gb }
        ? $"at most {Tables.Number(gb, "0.###")} GB on average; held {(objective.HeldGb is { } held ? $"{Tables.Number(held, "0.###")} GB lately" : "nothing yet")}"
        : $"95 % within {Tables.Number(objective.WithinMs ?? 0, "0.###")} ms; {(objective.LateShare is { } late ? $"{Percent(late)} were later lately" : "no request yet")}";

    private static string Sharing(ConcurrencyExplanation c)
    {
        var seen = string.Join(", ", c.Seen.Select(s => $"{s.Requests}: {Seconds(s.TypicalSeconds)}{(s.Slowdown is { } times ? $" ({Tables.Number(times, "0.##")} times)" : "")}"));
        return $"{c.Used} of {c.Limit}{(c.Used < c.Limit ? ", as executions last too long with more" : "")}{(seen.Length > 0 ? $"; typical execution with about {seen}" : "")}";
    }

    private static string Prewarms(PlanExplanation? plan) =>
        plan is null ? "" : string.Join(", ", plan.Prewarms.Select(w => $"{Seconds(w.FromSeconds)} to {Seconds(w.UntilSeconds)}"));

    private static string What(DecisionExplanation d) =>
        d.What + (d.Count > 1 ? $", {d.Count} instances" : "") + (d.Rank > 0 ? $", rank {d.Rank}" : "") + (d.UntilSeconds is { } until ? $", for {Seconds(until - d.AtSeconds)}" : "");

    /// <summary>The bins with the largest shares, in order of length.</summary>
    private static string Gaps(IReadOnlyList<GapBin> gaps)
    {
        var shown = gaps.OrderByDescending(b => b.Share).Take(ShownBins).OrderBy(b => b.UpToMs ?? double.MaxValue).ToList();
        var rest = gaps.Count - shown.Count;
        return string.Join(", ", shown.Select(b => $"{(b.UpToMs is { } ms ? Seconds(ms / 1e3) : "longer")} {Percent(b.Share)}"))
            + (rest > 0 ? $", {rest} more" : "");
    }

    private static string Seconds(double seconds) => Tables.Number(seconds, seconds >= 100 ? "N0" : seconds >= 1 ? "0.0##" : "0.####") + " s";

    private static string Percent(double share) => Tables.Number(100 * share, "0.#") + " %";

    private static string Number(double value) => Tables.Number(value, value >= 100 ? "N0" : "0.###");

    private static TextTable Table(string title, params TextColumn[] columns) => new(title, columns);

    private static TextColumn Words(string title, int leaveOut = 0) => new(title, IsNumber: false, leaveOut, Breaks: true);

    private static TextColumn Figure(string title, int leaveOut = 0) => new(title, LeaveOut: leaveOut);
}
