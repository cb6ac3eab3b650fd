namespace FuncScaler.Runtime.Execution;

/// <summary>What identifies a request: request ids are the callers', and two functions may be asked for under the same one.</summary>
internal readonly record struct AssignKey(MetaKey Function, RequestId Request);

/// <summary>What the callers of a request wait for.</summary>
internal sealed class PendingAssign(TaskCreationOptions continuations) : TaskCompletionSource<AssignedInstance>(continuations)
{
    /// <summary>Whether they are rejected, although they may not have heard of it yet. Changed with the executor's lock held.</summary>
    public bool Rejected { get; set; }
}

/// <summary>The calls of AssignAsync that wait for their grant or rejection. Not safe for concurrent use.</summary>
internal sealed class PendingAssigns(Scheduling scheduling)
{
    private readonly Dictionary<AssignKey, PendingAssign> _waiting = [];

    /// <summary>Requests that wait.</summary>
    public int Count => _waiting.Count;

    public bool Contains(AssignKey key) => _waiting.ContainsKey(key);

    /// <summary>Adds a caller. All callers of one request get the same answer.</summary>
    public PendingAssign Add(AssignKey key)
    {
        if (!_waiting.TryGetValue(key, out var completion))
        {
            completion = new PendingAssign(scheduling.Continuations);
            _waiting.Add(key, completion);
        }

        return completion;
    }

    public void Grant(in Effect grant)
    {
        if (_waiting.Remove(KeyOf(grant), out var completion))
        {
            var assigned = new AssignedInstance(grant.Instance, grant.GrantKind, grant.Address);
            Answer(() => completion.TrySetResult(assigned));
        }
    }

    public void Reject(in Effect reject)
    {
        if (_waiting.Remove(KeyOf(reject), out var completion))
        {
            completion.Rejected = true;
            var rejection = Rejection(reject);
            Answer(() => Fail(completion, rejection));
        }
    }

    /// <summary>What a rejected caller gets.</summary>
    public static AssignRejectedException Rejection(in Effect reject) => new(
        reject.RejectReason, reject.Message!, reject.RetryAfterUs > 0 ? TimeSpan.FromMicroseconds(reject.RetryAfterUs) : null);

    private static void Fail(TaskCompletionSource<AssignedInstance> completion, AssignRejectedException rejection)
    {
        completion.TrySetException(rejection);

        // Where the last caller has gone away nobody looks at it.
        _ = completion.Task.Exception;
    }

    private void Answer(Action answer)
    {
        if (scheduling.Answers is { } answers)
        {
            answers(answer);
        }
        else
        {
            answer();
        }
    }

    private static AssignKey KeyOf(in Effect effect) => new(effect.Function.Key, effect.Request);
}
