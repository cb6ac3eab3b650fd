namespace FuncScaler.Policies;

/// <summary>What a scaler offers to policies that look beyond one function.</summary>
public interface IPolicyHost
{
    /// <summary>
    /// Has <see cref="IKeepAlivePolicy.Standby"/> of another function's policy called once the present event is dealt with. Does nothing
    /// for a function without a pool.
    /// </summary>
    void RequestReview(MetaKey function);

    /// <summary>
    /// Hands over what the policies hold outside this program, such as another process. A host that plays a run disposes of it at the run's end. Other
    /// hosts end with their process, and need not.
    /// </summary>
    void Own(IDisposable resource)
    {
    }
}
