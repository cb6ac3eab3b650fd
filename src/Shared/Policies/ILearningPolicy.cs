using FuncScaler.Learned;

namespace FuncScaler.Policies;

/// <summary>A policy whose knowledge of a function outlives its process.</summary>
public interface ILearningPolicy : IKeepAlivePolicy, ILearned
{
    /// <summary>Names the form of what is written; a policy reads nothing that another one has written.</summary>
    string LearnedName { get; }

    /// <summary>What the policies of one scaler share; null for nothing. It is read before any function's own.</summary>
    ILearned? SharedLearned => null;

    /// <summary>
    /// What was learned for <see cref="FunctionLimits.Slo"/>; null for a policy that learns nothing for it. It may be read before the time is told, and
    /// is not used for another time.
    /// </summary>
    ILearned? SloLearned => null;
}
