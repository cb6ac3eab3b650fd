using FuncScaler.Policies.Adaptive.Choosing;
using FuncScaler.Policies.Adaptive.Demand;

namespace FuncScaler.Policies.Adaptive.Planning;

/// <summary>
/// What pretended pools ask when a request has arrived: the function's plans, made anew if that is due, and the arrivals that were expected
/// then. The candidates ask for the same rank one after another, so the last answers are kept.
/// </summary>
internal readonly ref struct Forecast(
    FunctionPlans plans, FunctionDemand demand, ref readonly PoolView pool, ref Forecast.Last last, long arrivedUs, long coldUs)
    : PretendedPools.IForecast
{
    private readonly ref readonly PoolView _pool = ref pool;
    private readonly ref Last _last = ref last;

    public ref readonly KeepAlivePlan Of(int candidate, int rank)
    {
        if (_last.Rank != rank)
        {
            (_last.Rank, _last.Plans) = (rank, plans.For(rank, _pool));
        }

        return ref _last.Plans.Of(candidate);
    }

    public ExpectedArrivals Expected() => _last.Expected ??= demand.ExpectedThen(arrivedUs, coldUs);

    /// <summary>The last answers.</summary>
    public struct Last
    {
        public int Rank;
        public RankPlans Plans;
        public ExpectedArrivals? Expected;
    }
}
