using FuncScaler.Policies.Adaptive.Choosing;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>A function's plans as they were made last.</summary>
internal readonly struct PlansMade(FunctionPlans plans) : PretendedPools.IPlans
{
    public ref readonly KeepAlivePlan Of(int candidate, int rank) => ref (plans.Made(rank) ?? RankPlans.Unplanned).Of(candidate);
}
