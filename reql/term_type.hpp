// The terms of the protocol definition, with their numbers on the wire.
#pragma once

#include <cstdint>

namespace reqld::reql {

enum class TermType : std::uint16_t {
  kDatum = 1, kMakeArray = 2, kMakeObj = 3,
  kVar = 10, kJavascript = 11, kError = 12, kImplicitVar = 13, kDb = 14, kTable = 15, kGet = 16,
  kEq = 17, kNe = 18, kLt = 19, kLe = 20, kGt = 21, kGe = 22, kNot = 23,
  kAdd = 24, kSub = 25, kMul = 26, kDiv = 27, kMod = 28,
  kAppend = 29, kSlice = 30, kGetField = 31, kHasFields = 32, kPluck = 33, kWithout = 34, kMerge = 35,
  kBetweenDeprecated = 36, kReduce = 37, kMap = 38, kFilter = 39, kConcatMap = 40, kOrderBy = 41,
  kDistinct = 42, kCount = 43, kUnion = 44, kNth = 45, kInnerJoin = 48, kOuterJoin = 49, kEqJoin = 50,
  kCoerceTo = 51, kTypeOf = 52, kUpdate = 53, kDelete = 54, kReplace = 55, kInsert = 56,
  kDbCreate = 57, kDbDrop = 58, kDbList = 59, kTableCreate = 60, kTableDrop = 61, kTableList = 62,
  kFuncall = 64, kBranch = 65, kOr = 66, kAnd = 67, kForEach = 68, kFunc = 69,
  kSkip = 70, kLimit = 71, kZip = 72, kAsc = 73, kDesc = 74,
  kIndexCreate = 75, kIndexDrop = 76, kIndexList = 77, kGetAll = 78, kInfo = 79, kPrepend = 80, kSample = 81,
  kInsertAt = 82, kDeleteAt = 83, kChangeAt = 84, kSpliceAt = 85, kIsEmpty = 86, kOffsetsOf = 87,
  kSetInsert = 88, kSetIntersection = 89, kSetUnion = 90, kSetDifference = 91,
  kDefault = 92, kContains = 93, kKeys = 94, kDifference = 95, kWithFields = 96, kMatch = 97, kJson = 98,
  kIso8601 = 99, kToIso8601 = 100, kEpochTime = 101, kToEpochTime = 102, kNow = 103, kInTimezone = 104,
  kDuring = 105, kDate = 106,
  kMonday = 107, kTuesday = 108, kWednesday = 109, kThursday = 110, kFriday = 111, kSaturday = 112, kSunday = 113,
  kJanuary = 114, kFebruary = 115, kMarch = 116, kApril = 117, kMay = 118, kJune = 119, kJuly = 120,
  kAugust = 121, kSeptember = 122, kOctober = 123, kNovember = 124, kDecember = 125,
  kTimeOfDay = 126, kTimezone = 127, kYear = 128, kMonth = 129, kDay = 130, kDayOfWeek = 131, kDayOfYear = 132,
  kHours = 133, kMinutes = 134, kSeconds = 135, kTime = 136, kLiteral = 137, kSync = 138,
  kIndexStatus = 139, kIndexWait = 140, kUpcase = 141, kDowncase = 142, kObject = 143,
  kGroup = 144, kSum = 145, kAvg = 146, kMin = 147, kMax = 148, kSplit = 149, kUngroup = 150, kRandom = 151,
  kChanges = 152, kHttp = 153, kArgs = 154, kBinary = 155, kIndexRename = 156,
  kGeojson = 157, kToGeojson = 158, kPoint = 159, kLine = 160, kPolygon = 161, kDistance = 162,
  kIntersects = 163, kIncludes = 164, kCircle = 165, kGetIntersecting = 166, kFill = 167, kGetNearest = 168,
  kUuid = 169, kBracket = 170, kPolygonSub = 171, kToJsonString = 172, kRange = 173,
  kConfig = 174, kStatus = 175, kReconfigure = 176, kWait = 177, kRebalance = 179,
  kMinval = 180, kMaxval = 181, kBetween = 182, kFloor = 183, kCeil = 184, kRound = 185, kValues = 186, kFold = 187,
  kGrant = 188, kSetWriteHook = 189, kGetWriteHook = 190,
  kBitAnd = 191, kBitOr = 192, kBitXor = 193, kBitNot = 194, kBitSal = 195, kBitSar = 196, kFormat = 197,
};

inline constexpr int kMaxTermType = 197;

}  // namespace reqld::reql
