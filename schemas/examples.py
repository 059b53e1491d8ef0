"""Ids and a time that the examples of several schemas share: one account buys ten RELIANCE at 2,500.00.

A field's metadata holds hints for the API's reference (api/reference/examples.py): `example` is its value in examples,
`x-optional` marks a member that an answer may lack, `x-shown` an optional object that examples contain all the same.
"""

MOMENT = "2026-11-23T04:15:23.734972Z"
ACCOUNT_ID = "01a20524-0010-7a6f-b1c4-93d27e5f8a10"
ORDER_ID = "01a20524-6fc7-7822-b63b-0d0c5a309936"
ORDER_NUMBER = "261123100004711"
OTHER_ORDER_ID = "01a20524-7b3e-7d15-9c40-8e2f6a1b5d93"
POSITION_ID = "01a20524-706c-78ef-8066-15d4dcc3ace4"
OTHER_POSITION_ID = "01a20524-7a11-70c2-9f3d-4b6e8d2a1c57"
STOCK_ID = "01a20524-0a11-7c0e-9d2b-6f1e5a7c3b21"
TOKEN_ID = "01a20524-11d4-7b1c-8e55-2a9d40f6c7e3"
MESSAGE_ID = "5c0f5e0b-7d0e-4c8f-9a54-3e2b1a6d7f90"
