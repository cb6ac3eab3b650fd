namespace FuncScaler.Runtime.Execution;

/// <summary>What identifies a request: request ids are the callers', and two functions may be asked for under the same one.</summary>
internal readonly record struct AssignKey(MetaKey Function, RequestId Request);

/// <summary>The calls of AssignAsync that wait for their grant or rejection. Not safe for concurrent use.</summary>
internal sealed class PendingAssigns(Scheduling scheduling)
{
    private readonly Dictionary<AssignKey, TaskCompletionSource<AssignedInstance>> _waiting = [];

    public bool Contains(AssignKey key) => _waiting.ContainsKey(key);

    /// <summary>Adds a caller. All callers of one request get the same answer.</summary>
    public Task<AssignedInstance> Add(AssignKey key)
    {
        if (!_waiting.TryGetValue(key, out var completion))
        {
            completion = new TaskCompletionSource<AssignedInstance>(scheduling.Continuations);
            _waiting.Add(key, completion);
        }

        return completion.Task;
    }

    public void Grant(in Effect grant)
    {
        if (_waiting.Remove(KeyOf(grant), out var completion))
        {
            completion.TrySetResult(new AssignedInstance(grant.Instance, grant.GrantKind, grant.Address));
        }
    }

    public void Reject(in Effect reject)
    {
        if (_waiting.Remove(KeyOf(reject), out var completion))
        {
            completion.TrySetException(Rejection(reject));

            // Where the last caller has gone away nobody looks at it.
            _ = completion.Task.Exception;
        }
    }

    /// <summary>What a rejected caller gets.</summary>
    public static AssignRejectedException Rejection(in Effect reject) => new(
        reject.RejectReason, reject.Message!, reject.RetryAfterUs > 0 ? TimeSpan.FromMicroseconds(reject.RetryAfterUs) : null);

    private static AssignKey KeyOf(in Effect effect) => new(effect.Function.Key, effect.Request);
}
