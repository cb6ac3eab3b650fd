using System.Text.Json;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands.PolicyPrograms;

/// <summary>One pool's policy, asked of a program.</summary>
/// <param name="program">The program.</param>
/// <param name="function">The pool's function.</param>
/// <param name="number">The pool's number, from 1; a function has several pools if its requests differ in memory or runtime.</param>
internal sealed class PolicyProgramPolicy(PolicyProcess program, MetaKey function, int number) : IKeepAlivePolicy
{
    /// <summary>The most slots that one answer may create.</summary>
    private const int MostCreated = 10_000;

    public bool Waits => program.Waits;

    public bool HasStandby => program.Takes("standby");

    public void RequestArrived(in PoolView pool)
    {
        if (program.Takes("arrived"))
        {
            Ask("arrived", pool).Finish();
        }
    }

    public int CreateOnMiss(in PoolView pool)
    {
        if (!program.Takes("miss"))
        {
            return Math.Min(1, pool.Missing);
        }

        var answer = Ask("miss", pool);
        var create = answer.Whole("create", most: MostCreated);
        answer.Finish();
        return (int)create;
    }

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var call = Begin("keep", pool);
        call.WriteStartObject("slot");
        call.WriteNumber("ticket", slot.Ticket.Value);
        call.WriteNumber("rank", slot.Rank);
        call.WriteNumber("sinceUs", slot.SinceUs);
        call.WriteNumber("uses", slot.Uses);
        call.WriteEndObject();
        var answer = program.Ask("keep", function);
        var decision = answer.Has("forGood") && answer.Truth("forGood")
            ? KeepDecision.HoldForGood
            : KeepDecision.HoldUntil(answer.Whole("untilUs"));
        answer.Finish();
        return decision;
    }

    public bool KeepSurplus(in PoolView pool)
    {
        if (!program.Takes("surplus"))
        {
            return true;
        }

        var answer = Ask("surplus", pool);
        var keep = answer.Truth("keep");
        answer.Finish();
        return keep;
    }

    public StandbyPlan Standby(in PoolView pool)
    {
        var answer = Ask("standby", pool);
        var plan = new StandbyPlan(
            answer.Has("create") ? (int)answer.Whole("create", most: MostCreated) : 0,
            answer.Has("againAtUs") ? answer.Whole("againAtUs") : long.MaxValue,
            answer.Has("reviewIdle") && answer.Truth("reviewIdle"));
        answer.Finish();
        return plan;
    }

    public void Forgotten()
    {
        if (program.Takes("forgotten"))
        {
            var call = program.Begin("forgotten");
            call.WriteNumber("pool", number);
            call.WriteString("function", function.Value);
            program.Ask("forgotten", function).Finish();
        }
    }

    private PolicyAnswer Ask(string what, in PoolView pool)
    {
        Begin(what, pool);
        return program.Ask(what, function);
    }

    private Utf8JsonWriter Begin(string what, in PoolView pool)
    {
        var call = program.Begin(what);
        var statistics = pool.Statistics;
        call.WriteNumber("pool", number);
        call.WriteString("function", pool.Function.Key.Value);
        call.WriteString("runtime", pool.Function.Runtime);
        call.WriteNumber("memoryMb", pool.Function.MemoryMb);
        call.WriteNumber("timeoutSeconds", pool.Function.TimeoutSeconds);
        call.WriteNumber("nowUs", pool.NowUs);
        call.WriteNumber("busy", pool.Busy);
        call.WriteNumber("executing", pool.Executing);
        call.WriteNumber("places", pool.Places);
        call.WriteNumber("idle", pool.Idle);
        call.WriteNumber("inFlight", pool.InFlight);
        call.WriteNumber("waiters", pool.Waiters);
        call.WriteNumber("missing", pool.Missing);
        call.WriteNumber("arrivals", statistics.Arrivals);
        call.WriteNumber("lastArrivalUs", statistics.LastArrivalUs);
        call.WriteNumber("executions", statistics.Duration.Count);
        call.WriteNumber("meanExecutionUs", statistics.Duration.Count > 0 ? (long)statistics.Duration.MeanUs : 0);
        call.WriteNumber("coldStarts", statistics.Init.Count);
        call.WriteNumber("meanColdStartUs", statistics.Init.Count > 0 ? (long)statistics.ColdStartUs : 0);
        return call;
    }
}
