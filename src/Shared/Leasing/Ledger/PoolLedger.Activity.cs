using FuncScaler.Learned;
using FuncScaler.Leasing.Messages;
using FuncScaler.Policies;

namespace FuncScaler.Leasing.Ledger;

/// <summary>What is learned from the requests that workers have seen.</summary>
public sealed partial class PoolLedger
{
    private void Observe(LedgerWorker worker, Activity activity)
    {
        var came = 0;
        for (var went = 0; came < activity.CameUs.Count || went < activity.WentUs.Count;)
        {
            if (went == activity.WentUs.Count || (came < activity.CameUs.Count && activity.CameUs[came] >= activity.WentUs[went]))
            {
                worker.Active++;
                Remember(NowUs - activity.CameUs[came++], ActivityEvent.Arrival);
            }
            else
            {
                if (worker.Active > 0)
                {
                    worker.Active--;
                    Remember(NowUs - activity.WentUs[went], Math.Max(0, activity.ExecutedUs[went]));
                    _policy!.Answered(View(_lastEventUs), activity.WaitedUs is { } waited && went < waited.Count ? waited[went] : 0);
                }

                went++;
            }
        }
    }

    private void Remember(long atUs, long executedUs)
    {
        var happened = new ActivityEvent(Math.Max(atUs, _lastEventUs), executedUs);
        Happen(happened);
        State.History.Add(happened);
    }

    private void Happen(ActivityEvent happened)
    {
        _lastEventUs = happened.AtUs;
        if (happened.Came)
        {
            Statistics.RequestArrived(happened.AtUs);
            _policy!.RequestArrived(View(happened.AtUs));
            while (Statistics.NextDemand(happened.AtUs, out var demand))
            {
                _policy.DemandLearned(View(happened.AtUs), demand);
            }
        }
        else if (Statistics.Active > 0)
        {
            if (happened.ExecutedUs > 0)
            {
                Statistics.Executed(happened.ExecutedUs, happened.AtUs);
            }

            Statistics.RequestEnded(happened.AtUs);
        }
    }

    /// <summary>Statistics and the policy's own memory are not part of the state: both follow from what happened.</summary>
    private void Relearn()
    {
        Repeat(Statistics.Create, State.History.Create);
        Repeat(Statistics.Init, State.History.Init);
        foreach (var happened in State.History.Events)
        {
            Happen(happened);
            if (!happened.Came && Statistics.Active == 0)
            {
                // Policies notice the beginning of a pause when they are asked about it.
                _policy!.Keep(View(happened.AtUs), new IdleSlot(default, 1, happened.AtUs, 1));
            }
        }

        // Thinning may have cut a request in two.
        var active = State.Workers.Values.Sum(w => w.Active);
        while (Statistics.Active > active)
        {
            Statistics.RequestEnded(_lastEventUs);
        }

        while (Statistics.Active < active)
        {
            Statistics.RequestArrived(_lastEventUs);
            Statistics.NextDemand(_lastEventUs, out _);
        }
    }

    /// <summary>
    /// Goes on with what was learned for the function's own time. Only from now on does the policy aim at it: past requests do not say how long they waited.
    /// </summary>
    private void TakeInSlo()
    {
        _slo = _limits.Slo;
        if (State.Slo is { } record && _policy is ILearningPolicy { SloLearned: { } slo } && LearnedRecord.Open(record, State.NowUs, out _) is { } reader)
        {
            slo.ReadLearned(reader);
        }
    }

    /// <summary>What is learned for the function's own time is part of the state: it is about more requests than are remembered.</summary>
    private void KeepSlo()
    {
        if (_slo is not null && _policy is ILearningPolicy { SloLearned: { } slo })
        {
            var writer = new LearnedWriter(NowUs);
            slo.WriteLearned(writer);
            State.Slo = writer.Length > 0 ? LearnedRecord.Seal(writer) : null;
        }
    }

    /// <summary>A running mean has forgotten all but the last 16 observations.</summary>
    private static void Repeat(FuncScaler.Statistics.RunningTime time, (long Count, double MeanUs) seen)
    {
        for (var i = 0; i < Math.Min(seen.Count, 16); i++)
        {
            time.Add((long)seen.MeanUs);
        }
    }
}
